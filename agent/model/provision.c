/* The arguments of slice.provision. */
#include "model/provision.h"

#include "base/check.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/arguments.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/slice.h"

#include <string.h>

static int image_read(const json_t *object, struct image *image, struct err *err)
{
    struct fields fields;

    if (fields_open(&fields, object, "image", err) || image_source_read(&fields, OPTIONAL, image) ||
        fields_end(&fields))
        return -1;
    return 0;
}

static int command_line_read(struct fields *fields, struct slice *slice)
{
    const char *text;

    if (field_string(fields, "cmdline", OPTIONAL, COMMAND_LINE_BYTES - 1, &text))
        return -1;
    if (!text || !*text)
        return 0;
    if (!text_printable(text, COMMAND_LINE_BYTES - 1))
        return field_refuse(fields, "cmdline", -1, text, "must be printable ASCII");
    copy_text(slice->command_line, sizeof(slice->command_line), text);
    return 0;
}

static int boot_read(const json_t *object, struct slice *slice, struct err *err)
{
    struct fields fields;
    unsigned kind = BOOT_GRUB;

    slice->boot = BOOT_GRUB;
    if (!object)
        return 0;
    if (fields_open(&fields, object, "boot", err) ||
        field_choice(&fields, "kind", REQUIRED, boot_names, BOOT_KINDS, &kind))
        return -1;
    slice->boot = (enum boot_kind)kind;
    if (slice->boot == BOOT_KERNEL && (field_uuid(&fields, "kernel", REQUIRED, slice->kernel) ||
                                       field_uuid(&fields, "ramdisk", OPTIONAL, slice->ramdisk) ||
                                       command_line_read(&fields, slice)))
        return -1;
    return fields_end(&fields);
}

static int ssh_keys_read(struct fields *fields, struct slice *slice)
{
    char path[FIELD_PATH_BYTES];
    const json_t *array;
    size_t total = 0;

    if (field_array(fields, "ssh_keys", OPTIONAL, SSH_KEYS_MAX, &array))
        return -1;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *key = json_string_value(json_array_get(array, i));

        field_path(fields, "ssh_keys", (int)i, path);
        if (!key)
            return err_set(fields->err, ERR_INVALID_ARGUMENT, "%s must be a string", path);
        if (ssh_key_check(key, fields->err) < 0)
            return err_context(fields->err, "%s", path);
        total += strlen(key);
        if (total > SSH_KEYS_LIMIT)
            return err_set(fields->err, ERR_INVALID_ARGUMENT,
                           "the ssh_keys have more than %u bytes together", SSH_KEYS_LIMIT);
        slice->ssh_keys[slice->ssh_key_count++] = xstrdup(key);
    }
    return 0;
}

static int cloud_init_read(const json_t *object, struct slice *slice, struct err *err)
{
    struct fields fields;
    const char *user_data;

    if (!object)
        return 0;
    if (fields_open(&fields, object, "cloud_init", err) ||
        field_text(&fields, "hostname", OPTIONAL, slice->hostname, sizeof(slice->hostname)) ||
        ssh_keys_read(&fields, slice) ||
        field_string(&fields, "user_data", OPTIONAL, USER_DATA_LIMIT, &user_data) ||
        fields_end(&fields))
        return -1;
    if (slice->hostname[0] && !hostname_valid(slice->hostname))
        return field_refuse(&fields, "hostname", -1, slice->hostname,
                            "must be a host name: letters, digits and '-', parts of at most 63 "
                            "separated by '.'");
    if (user_data && *user_data)
        slice->user_data = xstrdup(user_data);
    return 0;
}

/* Names may hold what host names may not: '_', and '.' or '-' in odd places. */
static void hostname_from_name(struct slice *slice)
{
    size_t length = 0;

    for (const char *from = slice->name; *from; from++) {
        bool dot = *from == '.';
        bool dash = *from == '-' || *from == '_';

        while (dot && length > 0 && slice->hostname[length - 1] == '-')
            length--;
        if ((dot || dash) && (length == 0 || slice->hostname[length - 1] == '.'))
            continue;
        slice->hostname[length++] = '-';
        if (!dash)
            slice->hostname[length - 1] = *from;
    }
    while (length > 0 && strchr(".-", slice->hostname[length - 1]))
        length--;
    slice->hostname[length] = '\0';
}

static int choices_read(struct fields *fields, struct slice *slice)
{
    static const char *const crash_policies[] = {"restart", "stop"};
    static const char *const desired_states[] = {"running", "stopped"};
    unsigned type = SLICE_TYPES, crash = 0, desired = 0;

    if (field_choice(fields, "type", OPTIONAL, slice_type_names, SLICE_TYPES, &type) ||
        field_choice(fields, "on_crash", OPTIONAL, crash_policies, 2, &crash) ||
        field_choice(fields, "desired", OPTIONAL, desired_states, 2, &desired))
        return -1;
    slice->type_given = type < SLICE_TYPES;
    slice->type = slice->type_given ? (enum slice_type)type : SLICE_PVH;
    slice->restart_on_crash = crash == 0;
    slice->desired_running = desired == 0;
    return 0;
}

/* Room to grow while the slice runs. */
static int limits_read(struct fields *fields, struct slice *slice)
{
    if (field_unsigned(fields, "max_vcpus", OPTIONAL, 1, VCPUS_MAX, &slice->max_vcpus) ||
        field_size(fields, "max_memory_mib", OPTIONAL, MEMORY_MIB_MIN, MEMORY_MIB_MAX,
                   &slice->max_memory_mib))
        return -1;
    if (slice->max_vcpus && slice->max_vcpus < slice->vcpus)
        return err_set(fields->err, ERR_INVALID_ARGUMENT, "max_vcpus %u is less than vcpus %u",
                       slice->max_vcpus, slice->vcpus);
    if (slice->max_memory_mib && slice->max_memory_mib < slice->memory_mib)
        return err_set(
            fields->err, ERR_INVALID_ARGUMENT, "max_memory_mib %llu is less than memory_mib %llu",
            (unsigned long long)slice->max_memory_mib, (unsigned long long)slice->memory_mib);
    return 0;
}

static int args_read(const json_t *args, struct slice *slice, struct image *image, struct err *err)
{
    const json_t *image_object, *boot, *network, *cloud_init;
    struct fields fields;

    if (fields_open(&fields, args, "", err) || name_read(&fields, "name", slice->name) ||
        field_object(&fields, "image", OPTIONAL, &image_object) ||
        field_uuid(&fields, "snapshot", OPTIONAL, slice->snapshot) ||
        field_unsigned(&fields, "vcpus", REQUIRED, 1, VCPUS_MAX, &slice->vcpus) ||
        field_size(&fields, "memory_mib", REQUIRED, MEMORY_MIB_MIN, MEMORY_MIB_MAX,
                   &slice->memory_mib) ||
        field_size(&fields, "disk_gib", REQUIRED, 1, DISK_GIB_MAX, &slice->disk_gib) ||
        limits_read(&fields, slice) || choices_read(&fields, slice) ||
        field_object(&fields, "boot", OPTIONAL, &boot) ||
        field_array(&fields, "network", OPTIONAL, SLICE_NICS_MAX, &network) ||
        field_object(&fields, "cloud_init", OPTIONAL, &cloud_init) || fields_end(&fields))
        return -1;
    *image = (struct image){.kind = IMAGE_DISK};
    if (!image_object == !slice->snapshot[0])
        return err_set(err, ERR_INVALID_ARGUMENT,
                       image_object ? "image and snapshot exclude each other"
                                    : "image is missing, and so is snapshot: one is needed");
    if ((image_object && image_read(image_object, image, err)) || boot_read(boot, slice, err) ||
        nics_read(network, slice, err) || cloud_init_read(cloud_init, slice, err))
        return -1;
    copy_text(slice->image, sizeof(slice->image), image->id);
    if (!slice->hostname[0])
        hostname_from_name(slice);
    return 0;
}

int provision_parse(const char *slice_id, const json_t *args, struct slice *slice,
                    struct image *image, struct err *err)
{
    *slice = (struct slice){.state = SLICE_PROVISIONING, .domain_id = -1};
    if (!uuid_valid(slice_id))
        return err_set(err, ERR_INVALID_ARGUMENT, "slice %s must be a UUID in lower case",
                       quoted(slice_id).text);
    copy_text(slice->id, sizeof(slice->id), slice_id);
    if (args_read(args, slice, image, err) < 0) {
        slice_free(slice);
        return -1;
    }
    return 0;
}
