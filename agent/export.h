/* One snapshot's way out: volume -> format -> compression -> SHA-256 -> pipe. No files and no
 * processes here, only descriptors. */
#ifndef SLICENODE_EXPORT_H
#define SLICENODE_EXPORT_H

#include "compress.h"
#include "err.h"
#include "export_map.h"
#include "util.h"

#include <nettle/sha2.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORT_SHA256_BYTES 32
#define EXPORT_SHA256_TEXT_BYTES (2 * EXPORT_SHA256_BYTES + 1)
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

struct export_format {
    const char *name;
    /* Bytes before compression; the map is there. */
    uint64_t (*length)(const struct export *export);
    int (*run)(struct export *export, struct err *err);
};

extern const struct export_format export_raw, export_vhd, export_delta;

/* `map` is taken over, also by a failure; after both export_close is to be called. */
int export_open(struct export *export, const struct export_options *options, struct export_map *map,
                int volume, int output, struct err *err);
/* What will be sent: 0 when it is not known, because it is compressed. */
uint64_t export_length(const struct export *export);
/* Sends everything. Then sent_bytes and sha256 are the result. */
int export_run(struct export *export, struct err *err);
void export_close(struct export *export);

/* For the formats: these send and count. export_volume's range is within the disk. */
int export_bytes(struct export *export, const void *data, size_t length, struct err *err);
int export_zeroes(struct export *export, uint64_t length, struct err *err);
int export_volume(struct export *export, uint64_t offset, uint64_t length, struct err *err);

#endif
