/* Dynamic VHD: footer, header, block table, the blocks that hold data, footer again. The same
 * snapshot always gives the same bytes. Source: "Virtual Hard Disk Image Format Specification",
 * version 1.0. */
#include "codec/vhd.h"
#include "base/err.h"
#include "export/formats.h"
#include "export/map.h"
#include "export/sink.h"

#include <string.h>

#define SECTOR_BYTES 512
#define BLOCK_BYTES ((uint64_t)2 << 20)
#define BITMAP_BYTES 512 /* a bit for each of a block's sectors */
#define TABLE_AT (VHD_FOOTER_BYTES + VHD_HEADER_BYTES)
#define TABLE_PART 1024         /* entries written at a time */
#define EPOCH_SECONDS 946684800 /* 2000-01-01 */
/* What Xen's own tools put there: readers then take the size from the footer. Of others they
 * take it from the geometry, which cannot say every size. */
#define CREATOR "tap"
#define CREATOR_VERSION 0x00010003u

static void put_be(unsigned char *to, uint64_t number, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        to[i] = (unsigned char)(number >> (8 * (bytes - 1 - i)));
}

/* Cylinders, heads and sectors by the specification's appendix. */
static uint32_t geometry(uint64_t size_bytes)
{
    uint64_t sectors = size_bytes / SECTOR_BYTES, tracks;
    unsigned heads, per_track;
    if (sectors > 65535ull * 16 * 255)
        sectors = 65535ull * 16 * 255;
    if (sectors >= 65535ull * 16 * 63) {
        per_track = 255;
        heads = 16;
        tracks = sectors / per_track;
    } else {
        per_track = 17;
        tracks = sectors / per_track;
        heads = (unsigned)((tracks + 1023) / 1024);
        if (heads < 4)
            heads = 4;
        if (tracks >= heads * 1024ull || heads > 16) {
            per_track = 31;
            heads = 16;
            tracks = sectors / per_track;
        }
        if (tracks >= heads * 1024ull) {
            per_track = 63;
            heads = 16;
            tracks = sectors / per_track;
        }
    }
    return (uint32_t)(tracks / heads) << 16 | heads << 8 | per_track;
}

static void put_uuid(unsigned char *to, const char *text)
{
    unsigned digits = 0;
    for (; *text != '\0' && digits < 32; text++) {
        if (*text == '-')
            continue;
        unsigned digit = (unsigned)(*text <= '9' ? *text - '0' : *text - 'a' + 10);
        to[digits / 2] = (unsigned char)(to[digits / 2] << 4 | (digit & 15));
        digits++;
    }
}

static void make_footer(const struct export *export, unsigned char footer[static VHD_FOOTER_BYTES])
{
    const struct export_options *options = export->options;
    int64_t age = options->created_ms / 1000 - EPOCH_SECONDS;
    memset(footer, 0, VHD_FOOTER_BYTES);
    memcpy(footer, VHD_FOOTER_COOKIE, VHD_COOKIE_BYTES);
    put_be(footer + 8, 2, 4); /* a feature that is always set */
    put_be(footer + 12, VHD_VERSION, 4);
    put_be(footer + 16, VHD_FOOTER_BYTES, 8); /* where the header is */
    put_be(footer + 24, age > 0 ? (uint64_t)age : 0, 4);
    memcpy(footer + 28, CREATOR, sizeof(CREATOR));
    put_be(footer + 32, CREATOR_VERSION, 4);
    put_be(footer + 40, options->size_bytes, 8);
    put_be(footer + 48, options->size_bytes, 8);
    put_be(footer + 56, geometry(options->size_bytes), 4);
    put_be(footer + 60, VHD_DYNAMIC, 4);
    put_uuid(footer + 68, options->snapshot);
    put_be(footer + VHD_FOOTER_CHECKSUM_AT,
           vhd_checksum(footer, VHD_FOOTER_BYTES, VHD_FOOTER_CHECKSUM_AT), 4);
}

static uint64_t table_entries(const struct export *export)
{
    return (export->options->size_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
}

static uint64_t table_bytes(const struct export *export)
{
    return (table_entries(export) * 4 + SECTOR_BYTES - 1) / SECTOR_BYTES * SECTOR_BYTES;
}

static void make_header(const struct export *export, unsigned char header[static VHD_HEADER_BYTES])
{
    memset(header, 0, VHD_HEADER_BYTES);
    memcpy(header, VHD_HEADER_COOKIE, VHD_COOKIE_BYTES);
    put_be(header + 8, UINT64_MAX, 8);
    put_be(header + 16, TABLE_AT, 8);
    put_be(header + 24, VHD_VERSION, 4);
    put_be(header + 28, table_entries(export), 4);
    put_be(header + 32, BLOCK_BYTES, 4);
    put_be(header + VHD_HEADER_CHECKSUM_AT,
           vhd_checksum(header, VHD_HEADER_BYTES, VHD_HEADER_CHECKSUM_AT), 4);
}

static uint64_t block_length(const struct export *export, uint64_t block)
{
    uint64_t left = export->options->size_bytes - block * BLOCK_BYTES;
    return left < BLOCK_BYTES ? left : BLOCK_BYTES;
}

static bool used(const struct export *export, uint64_t block)
{
    return export_map_has_data(&export->map, block * BLOCK_BYTES, block_length(export, block));
}

static int send_table(struct export *export, struct err *err)
{
    unsigned char part[TABLE_PART * 4];
    uint64_t entries = table_bytes(export) / 4, real = table_entries(export);
    uint64_t sector = (TABLE_AT + table_bytes(export)) / SECTOR_BYTES;
    for (uint64_t first = 0; first < entries; first += TABLE_PART) {
        unsigned count = entries - first < TABLE_PART ? (unsigned)(entries - first) : TABLE_PART;
        for (unsigned i = 0; i < count; i++) {
            bool here = first + i < real && used(export, first + i);
            put_be(part + 4ull * i, here ? sector : VHD_UNUSED_BLOCK, 4);
            if (here)
                sector += (BITMAP_BYTES + BLOCK_BYTES) / SECTOR_BYTES;
        }
        if (export_bytes(export, part, 4ull * count, err) < 0)
            return -1;
    }
    return 0;
}

/* The parts of a block that hold data are read, the others are zeroes. */
static int send_block(struct export *export, uint64_t block, struct err *err)
{
    unsigned char bitmap[BITMAP_BYTES];
    uint64_t offset = block * BLOCK_BYTES, end = offset + block_length(export, block);
    memset(bitmap, 0xff, sizeof(bitmap));
    if (export_bytes(export, bitmap, sizeof(bitmap), err) < 0)
        return -1;
    while (offset < end) {
        uint64_t limit = export->map.block_bytes - offset % export->map.block_bytes;
        uint64_t part = end - offset < limit ? end - offset : limit;
        bool data = export_map_has_data(&export->map, offset, part);
        if ((data ? export_volume(export, offset, part, err) : export_zeroes(export, part, err)) !=
            0)
            return -1;
        offset += part;
    }
    export->done_bytes = end;
    return export_zeroes(export, (block + 1) * BLOCK_BYTES - end, err);
}

static uint64_t vhd_length(const struct export *export)
{
    uint64_t length = TABLE_AT + table_bytes(export) + VHD_FOOTER_BYTES;
    for (uint64_t block = 0; block < table_entries(export); block++)
        length += used(export, block) ? BITMAP_BYTES + BLOCK_BYTES : 0;
    return length;
}

static int vhd_run(struct export *export, struct err *err)
{
    unsigned char footer[VHD_FOOTER_BYTES], header[VHD_HEADER_BYTES];
    make_footer(export, footer);
    make_header(export, header);
    if (export_bytes(export, footer, sizeof(footer), err) < 0 ||
        export_bytes(export, header, sizeof(header), err) < 0 || send_table(export, err) < 0)
        return -1;
    for (uint64_t block = 0; block < table_entries(export); block++) {
        export->done_bytes = block * BLOCK_BYTES;
        if (used(export, block) && send_block(export, block, err) < 0)
            return -1;
    }
    export->done_bytes = export->options->size_bytes;
    return export_bytes(export, footer, sizeof(footer), err);
}

const struct export_format export_vhd = {"vhd", vhd_length, vhd_run};
