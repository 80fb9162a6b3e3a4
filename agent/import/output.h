/* The volume that an image is written to. Fresh volumes read as zeroes, so blocks of zeroes are not
 * written: they would only take space in the pool. */
#ifndef SLICENODE_IMPORT_OUTPUT_H
#define SLICENODE_IMPORT_OUTPUT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* The thin pool's chunk. A chunk that has any data is written whole, because the pool would
 * otherwise fill it with zeroes first. */
#define OUTPUT_BLOCK_BYTES (64u << 10)

struct output {
    int fd;
    uint64_t limit_bytes;
    uint64_t written_bytes; /* without the blocks that were skipped */
    uint64_t flushed_to;    /* write-back was started up to here */
};

/* Data beyond the limit is image_too_large; a failing write is storage_error. */
int output_write(struct output *output, uint64_t offset, const void *data, size_t length,
                 struct err *err);

/* Puts everything on stable storage. A regular file gets `size_bytes` as its length. */
int output_finish(struct output *output, uint64_t size_bytes, struct err *err);

#endif
