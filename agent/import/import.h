/* One image's way in: transferred bytes -> SHA-256 -> decompression -> format -> volume. No files
 * and no processes here, only the output descriptors. */
#ifndef SLICENODE_IMPORT_IMPORT_H
#define SLICENODE_IMPORT_IMPORT_H

#include "base/err.h"
#include "codec/decompress.h"
#include "import/format.h"
#include "import/output.h"

#include <nettle/sha2.h>
#include <stddef.h>
#include <stdint.h>

#define IMPORT_SHA256_BYTES 32
#define IMPORT_SHA256_TEXT_BYTES (2 * IMPORT_SHA256_BYTES + 1)
#define IMPORT_NO_LIMIT UINT64_MAX

struct import_options {
    const char *format;
    const char *compression;
    const char *sha256;      /* expected, of the transferred bytes; "" when not known */
    uint64_t transfer_bytes; /* expected; 0 when not known */
    uint64_t limit_bytes;    /* of the disk */
    uint64_t scratch_bytes;  /* what the scratch volume can hold */
};

struct import {
    char format_name[16];
    char sha256[IMPORT_SHA256_TEXT_BYTES]; /* expected, then the one found */
    uint64_t expected_bytes;
    uint64_t transfer_bytes;
    struct sha256_ctx hash;
    struct decode_stream stream;
    struct format format;
    struct output output;
    struct output scratch;
};

/* `scratch` is a second volume for formats that need one, or -1. After a failure, too, import_close
 * is to be called. */
int import_open(struct import *import, const struct import_options *options, int output,
                int scratch, struct err *err);
int import_feed(struct import *import, const void *data, size_t length, struct err *err);

/* Bytes moved so far, of all kinds: whether it goes on shows by this. */
uint64_t import_moved_bytes(const struct import *import);

/* At the end of the input: checks length, hash and completeness, and syncs the output. Then
 * import->format.size_bytes, import->transfer_bytes and import->sha256 are the result. */
int import_finish(struct import *import, struct err *err);
void import_close(struct import *import);

#endif
