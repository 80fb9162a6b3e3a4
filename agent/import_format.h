/* Image formats: each takes the decompressed bytes in order and writes the disk's contents. A
 * format that needs to look around keeps what it needs in its own state; none may keep more than a
 * few MiB. */
#ifndef SLICENODE_IMPORT_FORMAT_H
#define SLICENODE_IMPORT_FORMAT_H

#include "err.h"
#include "import_output.h"

#include <stddef.h>
#include <stdint.h>

struct format {
    const struct format_type *type;
    struct output *output;
    void *state;
    uint64_t taken_bytes; /* of the stream */
    uint64_t size_bytes;  /* of the disk: known at the end at the latest */
};

struct format_type {
    const char *name; /* the protocol's */
    int (*open)(struct format *format, struct err *err);
    int (*feed)(struct format *format, const void *data, size_t length, struct err *err);
    /* At the end of the stream: checks that it is whole. */
    int (*finish)(struct format *format, struct err *err);
    void (*close)(struct format *format);
};

/* NULL when there is none of that name. */
const struct format_type *format_find(const char *name);

#endif
