#include "model/image.h"

#include "base/check.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/json.h"

#include <string.h>

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

/* "auto" is what a format that is not said means, not a word of the protocol. */
static int format_read(struct fields *fields, struct image *image)
{
    unsigned format = 0;

    image->format = IMAGE_FORMAT_AUTO;
    if (!field_any(fields, "format"))
        return 0;
    if (field_choice(fields, "format", REQUIRED, image_format_names + 1, IMAGE_FORMATS - 1,
                     &format))
        return -1;
    image->format = (enum image_format)(format + 1);
    return 0;
}

static int url_read(struct fields *fields, enum field_need need, struct image *image)
{
    char path[FIELD_PATH_BYTES];

    if (field_text(fields, "url", need, image->url, sizeof(image->url)))
        return -1;
    if (image->url[0] && url_check(image->url, fields->err) < 0) {
        field_path(fields, "url", -1, path);
        return err_context(fields->err, "%s", path);
    }
    return 0;
}

int image_source_read(struct fields *fields, enum field_need url_need, struct image *image)
{
    unsigned compression = COMPRESSION_NONE;

    if (field_uuid(fields, "id", REQUIRED, image->id) || url_read(fields, url_need, image) ||
        field_text(fields, "sha256", OPTIONAL, image->sha256, sizeof(image->sha256)) ||
        format_read(fields, image) ||
        field_choice(fields, "compression", OPTIONAL, compression_names, COMPRESSIONS,
                     &compression) ||
        field_size(fields, "size_bytes", OPTIONAL, 1, IMAGE_BYTES_LIMIT, &image->transfer_bytes))
        return -1;
    image->compression = (enum compression)compression;
    if (image->sha256[0] && !hex_valid(image->sha256, 32))
        return field_refuse(fields, "sha256", -1, image->sha256,
                            "must be 64 hexadecimal digits in lower case");
    if (strncmp(image->url, "http:", 5) == 0 && !image->sha256[0])
        return field_refuse(fields, "url", -1, image->url, "is plain http: sha256 is needed");
    return 0;
}

int image_parse(const json_t *args, struct image *image, struct err *err)
{
    struct fields fields;
    unsigned kind = IMAGE_DISK;

    *image = (struct image){.ready = false};
    if (fields_open(&fields, args, "", err) || image_source_read(&fields, REQUIRED, image) ||
        field_choice(&fields, "kind", OPTIONAL, image_kind_names, IMAGE_KINDS, &kind) ||
        fields_end(&fields))
        return -1;
    image->kind = (enum image_kind)kind;
    if (kind != IMAGE_DISK && image->format > IMAGE_FORMAT_RAW)
        return field_refuse(&fields, "format", -1, image_format_names[image->format],
                            "is for disks: a kernel or ramdisk must be raw");
    if (kind != IMAGE_DISK)
        image->format = IMAGE_FORMAT_RAW;
    return 0;
}

int image_delete_parse(const json_t *args, char id[static UUID_TEXT_BYTES], struct err *err)
{
    struct fields fields;

    if (fields_open(&fields, args, "", err) || field_uuid(&fields, "id", REQUIRED, id) ||
        fields_end(&fields))
        return -1;
    return 0;
}
