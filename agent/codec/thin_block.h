/* Where the fields of the thin pool's metadata are; shared by its reader and its writer. */
#ifndef SLICENODE_CODEC_THIN_BLOCK_H
#define SLICENODE_CODEC_THIN_BLOCK_H

#include "codec/thin_metadata.h"

#define SUPERBLOCK_MAGIC 27022010u
#define SUPERBLOCK_VERSION 2u
#define SUPERBLOCK_XOR 160774u
#define NODE_XOR 121107u
#define NODE_INTERNAL 1u
#define NODE_LEAF 2u
#define NODE_KEYS_AT 32
#define TIME_BITS 24

/* Both kinds of blocks begin alike. */
#define CHECKSUM_AT 0
#define FLAGS_AT 4
#define PLACE_AT 8

#define MAGIC_AT 32
#define VERSION_AT 40
#define MAPPING_ROOT_AT 320
#define DATA_BLOCK_SECTORS_AT 336
#define METADATA_BLOCK_SECTORS_AT 340

#define ENTRIES_AT 16
#define MAX_ENTRIES_AT 20
#define VALUE_BYTES_AT 24

uint32_t thin_get32(const unsigned char *from);
uint64_t thin_get64(const unsigned char *from);
uint32_t thin_checksum(const unsigned char data[static THIN_BLOCK_BYTES], uint32_t mask);

#endif
