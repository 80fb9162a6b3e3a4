/* A slice as the store keeps it. What was valid when it was written is only checked for its shape
 * when it is read: limits may have become narrower since. */
#include "model/document.h"

#include "base/err.h"
#include "base/json.h"
#include "base/memory.h"
#include "model/nic.h"
#include "model/slice.h"

#include <stdio.h>

static void set_text(json_t *object, const char *name, const char *text)
{
    if (text && text[0])
        json_object_set_new(object, name, json_clean_string(text));
}

static void set_error(json_t *object, const struct err *err)
{
    if (err->code != ERR_NONE)
        json_object_set_new(object, "error", err_to_json(err));
}

/* Of a slice that has a domain of known size, and limits that were given. */
static void set_sizes(json_t *object, const struct slice *slice)
{
    const struct domain_size *domain = &slice->domain;

    if (slice->max_vcpus)
        json_object_set_new(object, "max_vcpus", json_integer(slice->max_vcpus));
    if (slice->max_memory_mib)
        json_object_set_new(object, "max_memory_mib",
                            json_integer((json_int_t)slice->max_memory_mib));
    if (domain->memory_mib)
        json_object_set_new(object, "domain",
                            json_pack("{s:I, s:I, s:I, s:I}", "vcpus", (json_int_t)domain->vcpus,
                                      "max_vcpus", (json_int_t)domain->max_vcpus, "memory_mib",
                                      (json_int_t)domain->memory_mib, "max_memory_mib",
                                      (json_int_t)domain->max_memory_mib));
}

static json_t *nics_to_json(const struct slice *slice)
{
    json_t *array = json_array();

    for (unsigned i = 0; i < slice->nic_count; i++)
        json_array_append_new(array, nic_to_json(&slice->nics[i]));
    return array;
}

static json_t *ssh_keys_to_json(const struct slice *slice)
{
    json_t *array = json_array();

    for (unsigned i = 0; i < slice->ssh_key_count; i++)
        json_array_append_new(array, json_clean_string(slice->ssh_keys[i]));
    return array;
}

json_t *slice_to_store(const struct slice *slice)
{
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:b, s:s, s:b, s:I, s:I, s:I, s:s, s:b, s:I, s:I, s:i, s:o, s:o}", "id",
        slice->id, "name", slice->name, "state", slice_state_name(slice->state), "desired_running",
        slice->desired_running, "type", slice_type_names[slice->type], "type_given",
        slice->type_given, "vcpus", (json_int_t)slice->vcpus, "memory_mib",
        (json_int_t)slice->memory_mib, "disk_gib", (json_int_t)slice->disk_gib, "boot",
        boot_names[slice->boot], "restart_on_crash", slice->restart_on_crash, "disk_thin_id",
        (json_int_t)slice->disk_thin_id, "seed_thin_id", (json_int_t)slice->seed_thin_id,
        "domain_id", slice->domain_id, "network", nics_to_json(slice), "ssh_keys",
        ssh_keys_to_json(slice));

    set_sizes(object, slice);
    set_text(object, "image", slice->image);
    set_text(object, "snapshot", slice->snapshot);
    set_text(object, "kernel", slice->kernel);
    set_text(object, "ramdisk", slice->ramdisk);
    set_text(object, "command_line", slice->command_line);
    set_text(object, "hostname", slice->hostname);
    if (slice->user_data)
        json_object_set_new(object, "user_data", json_string(slice->user_data));
    set_error(object, &slice->error);
    return object;
}

static int choices_read(struct fields *fields, struct slice *slice)
{
    unsigned type = 0, boot = 0;
    const char *state;

    if (field_string(fields, "state", REQUIRED, 32, &state) ||
        field_choice(fields, "type", REQUIRED, slice_type_names, SLICE_TYPES, &type) ||
        field_choice(fields, "boot", REQUIRED, boot_names, BOOT_KINDS, &boot))
        return -1;
    if (slice_state_parse(state, &slice->state) < 0)
        return field_refuse(fields, "state", -1, state, "is no state of a slice");
    slice->type = (enum slice_type)type;
    slice->boot = (enum boot_kind)boot;
    return 0;
}

static int sizes_read(struct fields *fields, struct slice *slice)
{
    struct domain_size *domain = &slice->domain;
    const json_t *object;
    struct fields inner;

    if (field_unsigned(fields, "max_vcpus", OPTIONAL, 0, UINT32_MAX, &slice->max_vcpus) ||
        field_size(fields, "max_memory_mib", OPTIONAL, 0, INT64_MAX, &slice->max_memory_mib) ||
        field_object(fields, "domain", OPTIONAL, &object))
        return -1;
    if (!object)
        return 0;
    return fields_open(&inner, object, "domain", fields->err) ||
                   field_unsigned(&inner, "vcpus", REQUIRED, 0, UINT32_MAX, &domain->vcpus) ||
                   field_unsigned(&inner, "max_vcpus", REQUIRED, 0, UINT32_MAX,
                                  &domain->max_vcpus) ||
                   field_size(&inner, "memory_mib", REQUIRED, 0, INT64_MAX, &domain->memory_mib) ||
                   field_size(&inner, "max_memory_mib", REQUIRED, 0, INT64_MAX,
                              &domain->max_memory_mib)
               ? -1
               : 0;
}

static int numbers_read(struct fields *fields, struct slice *slice)
{
    int64_t domain_id = -1;

    if (field_unsigned(fields, "vcpus", REQUIRED, 0, UINT32_MAX, &slice->vcpus) ||
        field_size(fields, "memory_mib", REQUIRED, 0, INT64_MAX, &slice->memory_mib) ||
        field_size(fields, "disk_gib", REQUIRED, 0, INT64_MAX, &slice->disk_gib) ||
        field_unsigned(fields, "disk_thin_id", REQUIRED, 0, UINT32_MAX, &slice->disk_thin_id) ||
        field_unsigned(fields, "seed_thin_id", REQUIRED, 0, UINT32_MAX, &slice->seed_thin_id) ||
        field_number(fields, "domain_id", REQUIRED, -1, INT32_MAX, &domain_id))
        return -1;
    slice->domain_id = (int)domain_id;
    return field_flag(fields, "desired_running", REQUIRED, &slice->desired_running) ||
                   field_flag(fields, "type_given", REQUIRED, &slice->type_given) ||
                   field_flag(fields, "restart_on_crash", REQUIRED, &slice->restart_on_crash)
               ? -1
               : 0;
}

static int texts_read(struct fields *fields, struct slice *slice)
{
    const char *user_data;

    if (field_uuid(fields, "id", REQUIRED, slice->id) ||
        field_text(fields, "name", REQUIRED, slice->name, sizeof(slice->name)) ||
        field_uuid(fields, "image", OPTIONAL, slice->image) ||
        field_uuid(fields, "snapshot", OPTIONAL, slice->snapshot) ||
        field_uuid(fields, "kernel", OPTIONAL, slice->kernel) ||
        field_uuid(fields, "ramdisk", OPTIONAL, slice->ramdisk) ||
        field_text(fields, "command_line", OPTIONAL, slice->command_line,
                   sizeof(slice->command_line)) ||
        field_text(fields, "hostname", OPTIONAL, slice->hostname, sizeof(slice->hostname)) ||
        field_string(fields, "user_data", OPTIONAL, USER_DATA_LIMIT, &user_data))
        return -1;
    if (user_data)
        slice->user_data = xstrdup(user_data);
    return 0;
}

static int lists_read(struct fields *fields, struct slice *slice)
{
    const json_t *network, *keys;

    if (field_array(fields, "network", REQUIRED, SLICE_NICS_MAX, &network) ||
        field_array(fields, "ssh_keys", REQUIRED, SSH_KEYS_MAX, &keys))
        return -1;
    slice->nics = slice_nics((unsigned)json_array_size(network));
    for (size_t i = 0; i < json_array_size(network); i++) {
        char path[FIELD_PATH_BYTES];

        snprintf(path, sizeof(path), "network[%zu]", i);
        if (nic_read(json_array_get(network, i), path, &slice->nics[i], fields->err) < 0)
            return -1;
        slice->nic_count++;
    }
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const char *key = json_string_value(json_array_get(keys, i));

        if (!key)
            return field_refuse(fields, "ssh_keys", (int)i, "", "must be a string");
        slice->ssh_keys[slice->ssh_key_count++] = xstrdup(key);
    }
    return 0;
}

static int error_read(struct fields *fields, struct slice *slice)
{
    const json_t *object;
    const char *code, *message;
    struct fields inner;

    if (field_object(fields, "error", OPTIONAL, &object))
        return -1;
    if (!object)
        return 0;
    if (fields_open(&inner, object, "error", fields->err) ||
        field_string(&inner, "code", REQUIRED, 64, &code) ||
        field_string(&inner, "message", REQUIRED, ERR_MESSAGE_BYTES - 1, &message))
        return -1;
    err_set(&slice->error, err_code_from_name(code), "%s", message);
    return 0;
}

int slice_from_store(const json_t *object, struct slice *slice, struct err *err)
{
    struct fields fields;

    *slice = (struct slice){.domain_id = -1};
    if (fields_open(&fields, object, "slice", err) || choices_read(&fields, slice) ||
        numbers_read(&fields, slice) || sizes_read(&fields, slice) || texts_read(&fields, slice) ||
        lists_read(&fields, slice) || error_read(&fields, slice)) {
        slice_free(slice);
        return -1;
    }
    return 0;
}
