/* Blocks of the thin pool's metadata: their checksum, and how they are made. */
#include "codec/thin_block.h"

#include "codec/thin_metadata.h"

#include <string.h>

uint32_t thin_get32(const unsigned char *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
           (uint32_t)from[3] << 24;
}

uint64_t thin_get64(const unsigned char *from)
{
    return thin_get32(from) | (uint64_t)thin_get32(from + 4) << 32;
}

static void put32(unsigned char *to, uint32_t number)
{
    for (unsigned i = 0; i < 4; i++)
        to[i] = (unsigned char)(number >> (8 * i));
}

static void put64(unsigned char *to, uint64_t number)
{
    put32(to, (uint32_t)number);
    put32(to + 4, (uint32_t)(number >> 32));
}

static uint32_t table_entry(uint32_t value)
{
    for (unsigned bit = 0; bit < 8; bit++)
        value = value >> 1 ^ (value & 1 ? 0x82f63b78u : 0);
    return value;
}

/* CRC-32C (Castagnoli), not inverted at the end, as the kernel's crc32c. */
static uint32_t crc32c(const unsigned char *data, size_t length)
{
    static uint32_t table[256];
    static bool filled;
    uint32_t sum = UINT32_MAX;
    for (uint32_t byte = 0; !filled && byte < 256; byte++)
        table[byte] = table_entry(byte);
    filled = true;
    for (; length > 0; length--, data++)
        sum = sum >> 8 ^ table[(sum ^ *data) & 255];
    return sum;
}

uint32_t thin_checksum(const unsigned char data[static THIN_BLOCK_BYTES], uint32_t mask)
{
    return crc32c(data + FLAGS_AT, THIN_BLOCK_BYTES - FLAGS_AT) ^ mask;
}

void thin_block_seal(unsigned char data[static THIN_BLOCK_BYTES], uint64_t place,
                     enum thin_block_kind kind)
{
    put64(data + PLACE_AT, place);
    put32(data + CHECKSUM_AT,
          thin_checksum(data, kind == THIN_SUPERBLOCK ? SUPERBLOCK_XOR : NODE_XOR));
}

void thin_superblock_make(unsigned char data[static THIN_BLOCK_BYTES], uint64_t mapping_root,
                          uint64_t data_block_bytes)
{
    memset(data, 0, THIN_BLOCK_BYTES);
    put64(data + MAGIC_AT, SUPERBLOCK_MAGIC);
    put32(data + VERSION_AT, SUPERBLOCK_VERSION);
    put64(data + MAPPING_ROOT_AT, mapping_root);
    put32(data + DATA_BLOCK_SECTORS_AT, (uint32_t)(data_block_bytes / 512));
    put32(data + METADATA_BLOCK_SECTORS_AT, THIN_BLOCK_BYTES / 512);
}

void thin_node_make(unsigned char data[static THIN_BLOCK_BYTES], bool leaf)
{
    memset(data, 0, THIN_BLOCK_BYTES);
    put32(data + FLAGS_AT, leaf ? NODE_LEAF : NODE_INTERNAL);
    put32(data + MAX_ENTRIES_AT, THIN_NODE_ENTRIES);
    put32(data + VALUE_BYTES_AT, 8);
}

void thin_node_add(unsigned char data[static THIN_BLOCK_BYTES], uint64_t key, uint64_t value)
{
    uint32_t count = thin_get32(data + ENTRIES_AT);
    if (count >= THIN_NODE_ENTRIES)
        return;
    put64(data + NODE_KEYS_AT + 8ull * count, key);
    put64(data + NODE_KEYS_AT + 8ull * THIN_NODE_ENTRIES + 8ull * count, value);
    put32(data + ENTRIES_AT, count + 1);
}
