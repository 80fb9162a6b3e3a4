/* The arguments of the short operations. */
#include "model/arguments.h"

#include "base/err.h"
#include "base/ident.h"
#include "base/json.h"
#include "base/text.h"
#include "model/request.h"
#include "model/slice.h"

#include <string.h>

#define STOP_SECONDS_DEFAULT 60
/* Longer is refused: the request holds a worker meanwhile. */
#define STOP_SECONDS_MAX 3600
#define CONSOLE_BYTES_DEFAULT 16384
/* Longer is refused; whoever wants more asks again. */
#define FOLLOW_SECONDS_MAX 3600

int no_args_parse(const json_t *args, struct err *err)
{
    struct fields fields;

    return fields_open(&fields, args, "", err) || fields_end(&fields) ? -1 : 0;
}

int cancel_parse(const json_t *args, char request[static UUID_TEXT_BYTES], struct err *err)
{
    struct fields fields;

    if (fields_open(&fields, args, "", err) || field_uuid(&fields, "request", REQUIRED, request) ||
        fields_end(&fields))
        return -1;
    return 0;
}

int stop_parse(const json_t *args, struct stop_args *stop, struct err *err)
{
    struct fields fields;

    *stop = (struct stop_args){.timeout_seconds = STOP_SECONDS_DEFAULT};
    if (fields_open(&fields, args, "", err) ||
        field_unsigned(&fields, "timeout_seconds", OPTIONAL, 0, STOP_SECONDS_MAX,
                       &stop->timeout_seconds) ||
        field_flag(&fields, "force", OPTIONAL, &stop->force) || fields_end(&fields))
        return -1;
    return 0;
}

int resize_parse(const json_t *args, struct resize_args *resize, struct err *err)
{
    struct fields fields;

    *resize = (struct resize_args){.vcpus = 0};
    if (fields_open(&fields, args, "", err) ||
        field_unsigned(&fields, "vcpus", OPTIONAL, 1, VCPUS_MAX, &resize->vcpus) ||
        field_size(&fields, "memory_mib", OPTIONAL, MEMORY_MIB_MIN, MEMORY_MIB_MAX,
                   &resize->memory_mib) ||
        field_size(&fields, "disk_gib", OPTIONAL, 1, DISK_GIB_MAX, &resize->disk_gib) ||
        fields_end(&fields))
        return -1;
    if (!resize->vcpus && !resize->memory_mib && !resize->disk_gib)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "vcpus, memory_mib and disk_gib are missing: one is needed");
    return 0;
}

int console_parse(const json_t *args, struct console_args *console, struct err *err)
{
    struct fields fields;

    *console = (struct console_args){.bytes = CONSOLE_BYTES_DEFAULT};
    if (fields_open(&fields, args, "", err) ||
        field_unsigned(&fields, "bytes", OPTIONAL, 1, CONSOLE_BYTES_LIMIT, &console->bytes) ||
        field_unsigned(&fields, "follow_seconds", OPTIONAL, 1, FOLLOW_SECONDS_MAX,
                       &console->follow_seconds) ||
        fields_end(&fields))
        return -1;
    return 0;
}

int drain_parse(const json_t *args, bool *drain, struct err *err)
{
    struct fields fields;

    *drain = true;
    if (fields_open(&fields, args, "", err) || field_flag(&fields, "drain", OPTIONAL, drain) ||
        fields_end(&fields))
        return -1;
    return 0;
}

int name_read(struct fields *fields, const char *name, char to[static SLICE_NAME_BYTES])
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    const char *value;

    if (field_string(fields, name, REQUIRED, 4096, &value))
        return -1;
    if (strlen(value) >= SLICE_NAME_BYTES || strspn(value, allowed) != strlen(value) ||
        value[0] == '\0' || strchr("._-", value[0]))
        return field_refuse(fields, name, -1, value,
                            "must be 1 to 63 letters, digits, '.', '_' and '-', the first one a "
                            "letter or digit");
    copy_text(to, SLICE_NAME_BYTES, value);
    return 0;
}

int snapshot_parse(enum operation operation, const json_t *args, struct snapshot_args *snapshot,
                   struct err *err)
{
    struct fields fields;

    *snapshot = (struct snapshot_args){.restart = false};
    if (fields_open(&fields, args, "", err) ||
        field_uuid(&fields, "snapshot", REQUIRED, snapshot->snapshot) ||
        (operation == OP_SNAPSHOT_CREATE &&
         (name_read(&fields, "name", snapshot->name) ||
          field_flag(&fields, "memory", OPTIONAL, &snapshot->memory))) ||
        (operation == OP_SNAPSHOT_REVERT &&
         field_flag(&fields, "restart", OPTIONAL, &snapshot->restart)) ||
        fields_end(&fields))
        return -1;
    return 0;
}
