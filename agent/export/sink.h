/* What an export is made of, and how its bytes go out: volume -> encoder -> SHA-256 -> pipe. No
 * files and no processes here, only descriptors. */
#ifndef SLICENODE_EXPORT_SINK_H
#define SLICENODE_EXPORT_SINK_H

#include "base/err.h"
#include "base/ident.h"
#include "codec/compress.h"
#include "export/map.h"

#include <nettle/sha2.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORT_SHA256_BYTES 32
#define EXPORT_SHA256_TEXT_BYTES (2 * EXPORT_SHA256_BYTES + 1)
/* Read at a time. Ten times as much is no faster. */
#define EXPORT_PIECE_BYTES (1u << 20)

struct export_options {
    const char *format; /* raw, vhd, delta */
    const char *compression;
    uint64_t size_bytes; /* of the disk */
    int64_t created_ms;  /* of the snapshot */
    char snapshot[UUID_TEXT_BYTES];
    char since[UUID_TEXT_BYTES]; /* of a delta */
};

struct export
{
    const struct export_options *options;
    struct export_map map;
    int volume;
    int output;
    uint64_t read_bytes; /* of the volume: what held data */
    uint64_t done_bytes; /* of the disk: read, or known to be zeroes or not wanted */
    uint64_t sent_bytes; /* into the output */
    char sha256[EXPORT_SHA256_TEXT_BYTES];
    struct sha256_ctx hash;
    struct encoder encoder;
    unsigned char *piece; /* EXPORT_PIECE_BYTES */
    /* Called for each piece; -1 ends the export. NULL for none. */
    int (*progress)(struct export * export, void *argument, struct err *err);
    void *argument;
};

/* These send and count. export_volume's range is within the disk. */
int export_bytes(struct export *export, const void *data, size_t length, struct err *err);
int export_zeroes(struct export *export, uint64_t length, struct err *err);
int export_volume(struct export *export, uint64_t offset, uint64_t length, struct err *err);

/* Where the encoder puts its output; `argument` is the struct export. */
int export_put(void *argument, const void *data, size_t length, struct err *err);

#endif
