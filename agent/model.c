#include "model.h"

#include "json.h"
#include "model_internal.h"

#include <stdlib.h>
#include <string.h>

static const char *const slice_state_names[] = {
    [SLICE_PROVISIONING] = "provisioning",
    [SLICE_RUNNING] = "running",
    [SLICE_PAUSED] = "paused",
    [SLICE_STOPPED] = "stopped",
    [SLICE_FAILED] = "failed",
    [SLICE_TERMINATING] = "terminating",
};

const char *const slice_type_names[] = {[SLICE_PVH] = "pvh", [SLICE_PV] = "pv"};
const char *const boot_names[] = {[BOOT_GRUB] = "grub", [BOOT_KERNEL] = "kernel"};
const char *const image_kind_names[] = {
    [IMAGE_DISK] = "disk", [IMAGE_KERNEL] = "kernel", [IMAGE_RAMDISK] = "ramdisk"};
const char *const compression_names[] = {[COMPRESSION_NONE] = "none",
                                         [COMPRESSION_GZIP] = "gzip",
                                         [COMPRESSION_XZ] = "xz",
                                         [COMPRESSION_ZSTD] = "zstd"};

const char *const image_format_names[] = {[IMAGE_FORMAT_AUTO] = "auto",
                                          [IMAGE_FORMAT_RAW] = "raw",
                                          [IMAGE_FORMAT_QCOW2] = "qcow2",
                                          [IMAGE_FORMAT_VHD] = "vhd"};

static const char *const operation_names[OP_COUNT] = {
#define X(name, text) [OP_##name] = (text),
    OPERATIONS(X)
#undef X
};

const char *slice_state_name(enum slice_state state)
{
    return slice_state_names[state];
}

int slice_state_parse(const char *text, enum slice_state *state)
{
    for (unsigned i = 0; i < ARRAY_LENGTH(slice_state_names); i++) {
        if (strcmp(slice_state_names[i], text) == 0) {
            *state = (enum slice_state)i;
            return 0;
        }
    }
    return -1;
}

const char *operation_name(enum operation operation)
{
    return (unsigned)operation < OP_COUNT ? operation_names[operation] : "unknown";
}

static int operation_parse(const char *text, enum operation *operation, struct err *err)
{
    for (unsigned i = 0; i < OP_COUNT; i++) {
        if (strcmp(operation_names[i], text) == 0) {
            *operation = (enum operation)i;
            return 0;
        }
    }
    return err_set(err, ERR_UNKNOWN_OPERATION, "op %s is not known to this node",
                   quoted(text).text);
}

static bool concerns_slice(enum operation operation)
{
    return strncmp(operation_names[operation], "slice.", 6) == 0 ||
           strncmp(operation_names[operation], "snapshot.", 9) == 0 ||
           operation == OP_VOLUME_ATTACH;
}

/* The node knows where a volume is attached; who says it all the same is held to it. */
static bool may_name_slice(enum operation operation)
{
    return concerns_slice(operation) || operation == OP_VOLUME_DETACH;
}

static int check_slice(const struct request *request, struct err *err)
{
    const char *operation = operation_name(request->operation);

    if (concerns_slice(request->operation) && !request->slice[0])
        return err_set(err, ERR_INVALID_ARGUMENT, "%s needs a slice", operation);
    if (!may_name_slice(request->operation) && request->slice[0])
        return err_set(err, ERR_INVALID_ARGUMENT, "%s takes no slice", operation);
    return 0;
}

int request_parse(const json_t *object, struct request *request, struct err *err)
{
    struct fields fields;
    const json_t *args = NULL;
    const char *operation;

    *request = (struct request){.operation = OP_COUNT};
    if (fields_open(&fields, object, "", err) || field_uuid(&fields, "id", REQUIRED, request->id) ||
        field_string(&fields, "op", REQUIRED, 64, &operation) ||
        operation_parse(operation, &request->operation, err) ||
        field_uuid(&fields, "slice", OPTIONAL, request->slice) ||
        field_object(&fields, "args", OPTIONAL, &args) ||
        field_time(&fields, "deadline", OPTIONAL, &request->deadline_ms) || fields_end(&fields) ||
        check_slice(request, err))
        return -1;
    request->args = args ? json_deep_copy(args) : json_object();
    return 0;
}

void request_free(struct request *request)
{
    json_decref(request->args);
    request->args = NULL;
}

/* Each page of 4 KiB with its number of 8 bytes, the numbers of the holes below 4 GiB that a PVH
 * domain's address space has (8 MiB), what a guest keeps of memory that it is to give back (8 MiB), and
 * the state of processors and devices. */
#define SAVED_FIXED_MIB 32
#define SAVED_VCPU_MIB 1
#define SAVED_SHARE 256

uint64_t saved_memory_room(const struct saved_memory *memory)
{
    const struct domain_size *size = &memory->size;

    return (size->memory_mib + size->max_memory_mib / SAVED_SHARE + SAVED_FIXED_MIB +
            size->max_vcpus * SAVED_VCPU_MIB) *
           MIB;
}

struct nic *slice_nics(unsigned count)
{
    return count ? xcalloc(count, sizeof(struct nic)) : NULL;
}

void slice_free(struct slice *slice)
{
    for (unsigned i = 0; i < slice->ssh_key_count; i++)
        free(slice->ssh_keys[i]);
    slice->ssh_key_count = 0;
    free(slice->user_data);
    slice->user_data = NULL;
    free(slice->nics);
    slice->nics = NULL;
    slice->nic_count = 0;
}

void slice_copy(const struct slice *from, struct slice *to)
{
    *to = *from;
    for (unsigned i = 0; i < from->ssh_key_count; i++)
        to->ssh_keys[i] = xstrdup(from->ssh_keys[i]);
    to->user_data = from->user_data ? xstrdup(from->user_data) : NULL;
    to->nics = slice_nics(from->nic_count);
    for (unsigned i = 0; i < from->nic_count; i++)
        to->nics[i] = from->nics[i];
}

json_t *err_to_json(const struct err *err)
{
    const char *code;

    if (!err || err->code == ERR_NONE)
        return json_null();
    code = err_code_name(err->code);
    return json_pack("{s:s, s:o}", "code", code, "message",
                     json_clean_string(err->message[0] ? err->message : code));
}
