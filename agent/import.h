/* One image's way in: transferred bytes -> SHA-256 -> decompression -> format -> volume. No files
 * and no processes here, only the output descriptor. */
#ifndef SLICENODE_IMPORT_H
#define SLICENODE_IMPORT_H

#include "decompress.h"
#include "err.h"
#include "import_format.h"
#include "import_output.h"

#include <mbedtls/sha256.h>
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
};

struct import {
    char sha256[IMPORT_SHA256_TEXT_BYTES]; /* expected, then the one found */
    uint64_t expected_bytes;
    uint64_t transfer_bytes;
    mbedtls_sha256_context hash;
    struct decoder decoder;
    struct format format;
    struct output output;
    unsigned char *buffer; /* decompressed, not yet given to the format */
    size_t buffered;
};

/* After a failure, too, import_close is to be called. */
int import_open(struct import *import, const struct import_options *options, int output,
                struct err *err);
int import_feed(struct import *import, const void *data, size_t length, struct err *err);

/* At the end of the input: checks length, hash and completeness, and syncs the output. Then
 * import->format.size_bytes, import->transfer_bytes and import->sha256 are the result. */
int import_finish(struct import *import, struct err *err);
void import_close(struct import *import);

#endif
