/* Image formats: each takes the decompressed bytes in order and writes the disk's contents. A
 * format whose tables may lie anywhere in the file (qcow2, dynamic VHD) has the stream put on a
 * scratch volume first and reads it there; none keeps more than 64 MiB in memory. */
#ifndef SLICENODE_IMPORT_FORMAT_H
#define SLICENODE_IMPORT_FORMAT_H

#include "base/err.h"
#include "import/output.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the longest magic needs. */
#define FORMAT_MAGIC_BYTES 8

struct format {
    const struct format_type *type;
    struct output *output;
    struct output *scratch; /* NULL when there is none; then only raw and fixed VHD can be taken */
    void *state;
    const unsigned char *head; /* the stream's beginning, while the format is opened */
    size_t head_length;
    uint64_t taken_bytes; /* of the stream */
    uint64_t read_bytes;  /* from the scratch volume */
    uint64_t size_bytes;  /* of the disk: known at the end at the latest */
    /* Called now and then during long work; -1 ends it. May be NULL. */
    int (*tick)(void *argument, struct err *err);
    void *argument;
};

struct format_type {
    const char *name; /* for messages */
    int (*open)(struct format *format, struct err *err);
    int (*feed)(struct format *format, const void *data, size_t length, struct err *err);
    /* At the end of the stream: checks that it is whole, and converts what was put aside. */
    int (*finish)(struct format *format, struct err *err);
    void (*close)(struct format *format);
};

/* raw; whatever has no magic (raw, or a fixed VHD if it ends with such a footer); VHD; qcow2. */
extern const struct format_type format_raw, format_plain, format_vhd_fixed, format_vhd_dynamic,
    format_qcow2;

/* A Linux bzImage with a payload that can be unpacked here: what is written is the ELF file in
 * it, which no start of a slice has to unpack then. */
extern const struct format_type format_kernel;
bool format_kernel_fits(const void *data, size_t length);

/* The protocol's names (raw, qcow2, vhd, and auto), and kernel: a bzImage, or any file as it is. */
bool format_known(const char *name);

/* The type of a stream that is said to be `name` and begins with `data`; NULL with image_corrupt
 * when it cannot be that. */
const struct format_type *format_choose(const char *name, const void *data, size_t length,
                                        struct err *err);

#endif
