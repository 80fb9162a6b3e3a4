#include "model/export.h"

#include "base/check.h"
#include "base/err.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/image.h"

#include <string.h>
#include <strings.h>

#define STALL_SECONDS_DEFAULT 60
/* Longer is refused: it would hold one of the two places for exports. */
#define STALL_SECONDS_MAX 3600
/* More than any header's name; longer ones are refused. */
#define HEADER_NAME_LIMIT 64
/* What web servers take of a line at least; longer values are refused. */
#define HEADER_LIMIT 4096

static const char *const format_names[] = {[EXPORT_RAW] = "raw", [EXPORT_VHD] = "vhd"};

/* `NAME: VALUE`. The value may be secret, so that no message shows it. */
static const char *header_problem(const char *header)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    /* They say how the body comes, which is sliced-net's to know. */
    static const char *const taken[] = {"Host",    "Content-Length", "Transfer-Encoding", "Expect",
                                        "Trailer", "Connection",     "Upgrade",           "TE"};
    size_t length = header ? strspn(header, allowed) : 0;

    if (length == 0 || length > HEADER_NAME_LIMIT || strncmp(header + length, ": ", 2) != 0 ||
        !text_printable(header, HEADER_LIMIT) || !header[length + 2])
        return "must be NAME: VALUE in printable ASCII, the name of at most 64 characters";
    for (size_t i = 0; i < ARRAY_LENGTH(taken); i++)
        if (strlen(taken[i]) == length && strncasecmp(header, taken[i], length) == 0)
            return "is not to be set";
    return NULL;
}

static int headers_read(struct fields *fields, struct export_args *export)
{
    if (field_array(fields, "headers", OPTIONAL, EXPORT_HEADERS_MAX, &export->headers))
        return -1;
    for (size_t i = 0; i < json_array_size(export->headers); i++) {
        const char *problem = header_problem(json_string_value(json_array_get(export->headers, i)));
        if (problem)
            return err_set(fields->err, ERR_INVALID_ARGUMENT, "headers[%zu] %s", i, problem);
    }
    return 0;
}

static int target_read(struct fields *fields, struct export_args *export)
{
    if (field_text(fields, "url", OPTIONAL, export->url, sizeof(export->url)) ||
        headers_read(fields, export))
        return -1;
    if (!export->url[0])
        return json_array_size(export->headers) > 0
                   ? err_set(fields->err, ERR_INVALID_ARGUMENT,
                             "headers: there is no url to send them to")
                   : 0;
    if (url_check(export->url, fields->err) < 0)
        return err_context(fields->err, "url");
    if (strncmp(export->url, "https://", 8) != 0)
        return field_refuse(fields, "url", -1, export->url,
                            "must be https: a disk's contents do not travel in clear");
    return 0;
}

int export_parse(const json_t *args, struct export_args *export, struct err *err)
{
    struct fields fields;
    unsigned format = EXPORT_RAW, compression = COMPRESSION_NONE;

    *export = (struct export_args){.stall_seconds = STALL_SECONDS_DEFAULT};
    if (fields_open(&fields, args, "", err) ||
        field_uuid(&fields, "snapshot", REQUIRED, export->snapshot) ||
        field_uuid(&fields, "since", OPTIONAL, export->since) || target_read(&fields, export) ||
        field_choice(&fields, "format", OPTIONAL, format_names, ARRAY_LENGTH(format_names),
                     &format) ||
        field_choice(&fields, "compression", OPTIONAL, compression_names, COMPRESSIONS,
                     &compression) ||
        field_unsigned(&fields, "stall_seconds", OPTIONAL, 1, STALL_SECONDS_MAX,
                       &export->stall_seconds) ||
        fields_end(&fields))
        return -1;
    export->format = (enum export_format)format;
    export->compression = (enum compression)compression;
    if (export->compression == COMPRESSION_XZ)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "compression \"xz\" is for imports only: use zstd or gzip");
    if (export->since[0] && export->format == EXPORT_VHD)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "since goes with format raw only: there are no differencing VHDs");
    if (export->since[0] && strcmp(export->since, export->snapshot) == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "since is the snapshot itself");
    return 0;
}

const char *export_format_name(const struct export_args *export)
{
    return export->since[0] ? "delta" : format_names[export->format];
}

const char *export_compression_name(const struct export_args *export)
{
    return compression_names[export->compression];
}
