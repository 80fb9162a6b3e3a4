/* Images: what slices are made from, and the kernels that they start from. */
#ifndef SLICENODE_MODEL_IMAGE_H
#define SLICENODE_MODEL_IMAGE_H

#include "base/err.h"
#include "base/ident.h"
#include "base/json.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* What browsers and servers take. Longer ones are refused. */
#define URL_BYTES 2048
#define SHA256_TEXT_BYTES 65
/* 64 TiB, as a slice's disk. Longer ones are refused. */
#define IMAGE_BYTES_LIMIT ((int64_t)65536 << 30)

enum image_kind { IMAGE_DISK, IMAGE_KERNEL, IMAGE_RAMDISK };
/* AUTO: by its magic. */
enum image_format { IMAGE_FORMAT_AUTO, IMAGE_FORMAT_RAW, IMAGE_FORMAT_QCOW2, IMAGE_FORMAT_VHD };
enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_XZ, COMPRESSION_ZSTD };

struct image {
    char id[UUID_TEXT_BYTES];
    enum image_kind kind;
    enum compression compression;
    enum image_format format;       /* only until imported; the store does not keep it */
    char url[URL_BYTES];            /* "" when unknown */
    char sha256[SHA256_TEXT_BYTES]; /* of the bytes as transferred; "" when not given */
    uint64_t transfer_bytes;        /* 0 when not given */
    uint64_t size_bytes;            /* of the volume; 0 until imported */
    uint64_t mapped_bytes;          /* of the pool, once imported: what it reserves */
    uint32_t thin_id;               /* of a disk image */
    bool ready;
    int64_t used_ms; /* when it was fetched or a slice was made from it last; 0: not known */
};

extern const char *const image_kind_names[];
extern const char *const compression_names[];
extern const char *const image_format_names[];
#define IMAGE_KINDS 3
#define COMPRESSIONS 4
#define IMAGE_FORMATS 4

/* Reads the fields that image.fetch and slice.provision's `image` have in common. */
int image_source_read(struct fields *fields, enum field_need url_need, struct image *image);
/* The arguments of image.fetch and image.delete. */
int image_parse(const json_t *args, struct image *image, struct err *err);
int image_delete_parse(const json_t *args, char id[static UUID_TEXT_BYTES], struct err *err);

#endif
