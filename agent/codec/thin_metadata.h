/* The thin pool's metadata as Linux keeps it on disk, for reading: which blocks of the pool a
 * volume maps, and where two volumes differ. Pure and bounded: whatever the blocks hold, each is
 * read at most once in a walk, and a walk ends.
 *
 * Source of the format: Linux 6.12, drivers/md/dm-thin-metadata.c and persistent-data/dm-btree*.
 * A superblock names a tree of volumes (number -> root of a tree) whose trees map the volume's
 * blocks (block -> the pool's block << 24 | time). Every block has a CRC-32C and its own place. */
#ifndef SLICENODE_CODEC_THIN_METADATA_H
#define SLICENODE_CODEC_THIN_METADATA_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define THIN_BLOCK_BYTES 4096
#define THIN_NODE_ENTRIES 252 /* of 8 bytes; the kernel wants a multiple of three */

struct thin_metadata {
    /* Reads one block; the caller's. */
    int (*read)(void *argument, uint64_t block, unsigned char data[static THIN_BLOCK_BYTES],
                struct err *err);
    void *argument;
    uint64_t block_count; /* of the metadata; the caller's */
    uint64_t mapping_root;
    uint64_t data_block_bytes;
};

/* Reads the superblock at `block`: the pool's own or one of a metadata snapshot. */
int thin_metadata_open(struct thin_metadata *metadata, uint64_t block, struct err *err);

/* The numbers of all volumes, in order, which the caller frees. */
int thin_metadata_volumes(const struct thin_metadata *metadata, uint32_t **volumes, size_t *count,
                          struct err *err);

/* `data`: the newer volume maps the block; otherwise the block reads as zeroes there. */
typedef void thin_mark(void *argument, uint64_t block, bool data);

/* Every block that the volume maps, in order. */
int thin_metadata_mapped(const struct thin_metadata *metadata, uint32_t volume, thin_mark *mark,
                         void *argument, struct err *err);

/* Every block of which the two volumes map another block of the pool, or only one maps any, in
 * order. Volumes that share a block of the pool share what it holds. */
int thin_metadata_changed(const struct thin_metadata *metadata, uint32_t older, uint32_t newer,
                          thin_mark *mark, void *argument, struct err *err);

/* For those who write metadata, the simulation and tests: puts place and checksum into a block. */
enum thin_block_kind { THIN_SUPERBLOCK, THIN_NODE };
void thin_block_seal(unsigned char data[static THIN_BLOCK_BYTES], uint64_t place,
                     enum thin_block_kind kind);
/* A superblock without seal. */
void thin_superblock_make(unsigned char data[static THIN_BLOCK_BYTES], uint64_t mapping_root,
                          uint64_t data_block_bytes);
/* A node without entries and without seal, and a further entry at its end. */
void thin_node_make(unsigned char data[static THIN_BLOCK_BYTES], bool leaf);
void thin_node_add(unsigned char data[static THIN_BLOCK_BYTES], uint64_t key, uint64_t value);

#define THIN_MAPPING(data_block, time) ((uint64_t)(data_block) << 24 | (time))

#endif
