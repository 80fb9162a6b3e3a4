/* Dynamic VHD: a copy of the footer, a header, a table of blocks, blocks in any order, the footer.
 * Each block begins with a bitmap of the sectors that were ever written. */
#include "codec/vhd.h"
#include "base/err.h"
#include "base/memory.h"
#include "import/format.h"
#include "import/output.h"
#include "import/scratch.h"

#include <endian.h>
#include <stdlib.h>

#define SECTOR_BYTES 512
#define BLOCK_BYTES_MIN (4u << 10)
#define BLOCK_BYTES_MAX (256u << 20)
/* 32 MiB of memory: 16 TiB in blocks of 2 MiB. More is refused with a message. */
#define SLOTS_MAX (8u << 20)
#define TABLE_PART 1024 /* entries read at once */

struct vhd {
    struct vhd_footer footer;
    struct vhd_header header;
    uint32_t bitmap_bytes;
    uint64_t unit_bytes; /* of a block with its bitmap */
    /* Where the blocks seen so far are, by start / unit: two that overlap are in the same slot
     * or in neighbouring ones. First sector, 0 when there is none. */
    uint32_t *slots;
    uint64_t slot_count;
    unsigned char *bitmap;
    struct gather gather;
};

static int corrupt(struct err *err, const char *what)
{
    return err_set(err, ERR_IMAGE_CORRUPT, "the VHD file %s", what);
}

static int check_footer(const struct format *format, const struct vhd_footer *footer,
                        struct err *err)
{
    if (footer->type == VHD_DIFFERENCING)
        return err_set(err, ERR_IMAGE_UNSUPPORTED,
                       "the VHD file is a differencing disk: it needs a parent file, and an image "
                       "must stand alone; convert it to a dynamic or fixed one");
    if (footer->type != VHD_DYNAMIC)
        return err_set(err, ERR_IMAGE_CORRUPT, "the VHD file's type %u is not known",
                       (unsigned)footer->type);
    if (footer->version != VHD_VERSION)
        return err_set(err, ERR_IMAGE_UNSUPPORTED, "the VHD file's version 0x%08x is not known",
                       (unsigned)footer->version);
    if (footer->size_bytes == 0 || footer->size_bytes % SECTOR_BYTES != 0)
        return corrupt(err, "says a size that is no number of sectors");
    if (footer->size_bytes > format->output->limit_bytes)
        return err_set(err, ERR_IMAGE_TOO_LARGE,
                       "the VHD file holds a disk of %llu bytes, %llu are allowed",
                       (unsigned long long)footer->size_bytes,
                       (unsigned long long)format->output->limit_bytes);
    return 0;
}

static int read_footers(struct format *format, struct vhd *vhd, struct err *err)
{
    unsigned char bytes[VHD_FOOTER_BYTES];
    struct vhd_footer last;
    if (scratch_read(format, 0, bytes, sizeof(bytes), "footer's copy", err) < 0)
        return -1;
    if (!vhd_footer_read(bytes, &vhd->footer))
        return corrupt(err, "begins with a footer whose checksum is wrong");
    if (check_footer(format, &vhd->footer, err) < 0)
        return -1;
    if (format->taken_bytes < 2 * VHD_FOOTER_BYTES + VHD_HEADER_BYTES)
        return corrupt(err, "is too short");
    if (scratch_read(format, format->taken_bytes - VHD_FOOTER_BYTES, bytes, sizeof(bytes), "footer",
                     err) != 0)
        return -1;
    if (!vhd_footer_read(bytes, &last))
        return corrupt(err, "does not end with a footer: it is cut off or has more at its end");
    if (last.type != vhd->footer.type || last.size_bytes != vhd->footer.size_bytes)
        return corrupt(err, "has a footer that contradicts the copy at its beginning");
    return 0;
}

static int read_header(struct format *format, struct vhd *vhd, struct err *err)
{
    unsigned char bytes[VHD_HEADER_BYTES];
    struct vhd_header *header = &vhd->header;
    if (scratch_read(format, vhd->footer.header_at, bytes, sizeof(bytes), "dynamic header", err) !=
        0)
        return -1;
    if (!vhd_header_read(bytes, header))
        return corrupt(err, "has no dynamic header, or one whose checksum is wrong");
    if (header->version != VHD_VERSION)
        return err_set(err, ERR_IMAGE_UNSUPPORTED,
                       "the VHD file's header version 0x%08x is not known",
                       (unsigned)header->version);
    uint32_t block = header->block_bytes;
    if (block < BLOCK_BYTES_MIN || block > BLOCK_BYTES_MAX || (block & (block - 1)) != 0)
        return err_set(err, ERR_IMAGE_CORRUPT, "the VHD file says blocks of %u bytes",
                       (unsigned)block);
    if ((uint64_t)header->table_entries * block < vhd->footer.size_bytes)
        return corrupt(err, "has a block table that is too short for its disk");
    return scratch_check(format, header->table_at, (uint64_t)header->table_entries * 4,
                         "block table", err);
}

static int make_slots(const struct format *format, struct vhd *vhd, struct err *err)
{
    vhd->bitmap_bytes = vhd_bitmap_bytes(vhd->header.block_bytes);
    vhd->unit_bytes = (uint64_t)vhd->header.block_bytes + vhd->bitmap_bytes;
    vhd->slot_count = format->taken_bytes / vhd->unit_bytes + 1;
    if (vhd->slot_count > SLOTS_MAX)
        return err_set(err, ERR_IMAGE_UNSUPPORTED,
                       "the VHD file has more than %u blocks: convert it to larger ones",
                       SLOTS_MAX);
    vhd->slots = xcalloc(vhd->slot_count, sizeof(*vhd->slots));
    vhd->bitmap = xcalloc(1, vhd->bitmap_bytes);
    return 0;
}

static bool overlaps(const struct vhd *vhd, uint64_t slot, uint32_t sector)
{
    if (slot >= vhd->slot_count || vhd->slots[slot] == 0)
        return false;
    uint32_t other = vhd->slots[slot];
    uint64_t distance = sector > other ? sector - other : other - sector;
    return distance * SECTOR_BYTES < vhd->unit_bytes;
}

/* Each block is one entry's alone; otherwise a small file could swell without end. */
static int claim(struct format *format, struct vhd *vhd, uint32_t sector, struct err *err)
{
    uint64_t at = (uint64_t)sector * SECTOR_BYTES, slot = at / vhd->unit_bytes;
    if (scratch_check(format, at, vhd->unit_bytes, "block", err) < 0)
        return -1;
    if (sector == 0 || overlaps(vhd, slot, sector) || overlaps(vhd, slot + 1, sector) ||
        (slot > 0 && overlaps(vhd, slot - 1, sector)))
        return err_set(err, ERR_IMAGE_CORRUPT,
                       "the VHD file's block at byte %llu overlaps another part of the file",
                       (unsigned long long)at);
    vhd->slots[slot] = sector;
    return 0;
}

static bool is_set(const unsigned char *bitmap, uint64_t sector)
{
    return bitmap[sector / 8] & (0x80u >> (sector % 8));
}

/* Copies the sectors of a block that were ever written, in runs. */
static int copy_block(struct format *format, struct vhd *vhd, uint64_t offset, uint64_t at,
                      struct err *err)
{
    uint64_t left = vhd->footer.size_bytes - offset;
    uint64_t sectors =
        (left < vhd->header.block_bytes ? left : vhd->header.block_bytes) / SECTOR_BYTES;
    uint64_t data = at + vhd->bitmap_bytes;
    if (scratch_read(format, at, vhd->bitmap, vhd->bitmap_bytes, "block's bitmap", err) < 0)
        return -1;
    for (uint64_t first = 0; first < sectors;) {
        uint64_t end = first;
        while (end < sectors && end - first < OUTPUT_BLOCK_BYTES / SECTOR_BYTES &&
               is_set(vhd->bitmap, end))
            end++;
        size_t length = (size_t)(end - first) * SECTOR_BYTES;
        if (length > 0) {
            unsigned char *room =
                gather_room(&vhd->gather, offset + first * SECTOR_BYTES, length, err);
            if (!room ||
                scratch_read(format, data + first * SECTOR_BYTES, room, length, "block", err) < 0)
                return -1;
        }
        first = end > first ? end : first + 1;
    }
    return 0;
}

static int copy_blocks(struct format *format, struct vhd *vhd, struct err *err)
{
    uint32_t table[TABLE_PART];
    uint64_t block = vhd->header.block_bytes;
    uint64_t used = (vhd->footer.size_bytes + block - 1) / block;
    for (uint64_t index = 0; index < used; index++) {
        uint64_t in_part = index % TABLE_PART, left = used - index;
        size_t count = left < TABLE_PART ? (size_t)left : TABLE_PART;
        if (in_part == 0 && (scratch_read(format, vhd->header.table_at + index * 4, table,
                                          count * 4, "block table", err) < 0 ||
                             gather_flush(&vhd->gather, err) < 0))
            return -1;
        uint32_t sector = be32toh(table[in_part]);
        if (sector == VHD_UNUSED_BLOCK)
            continue;
        if (claim(format, vhd, sector, err) < 0 ||
            copy_block(format, vhd, index * block, (uint64_t)sector * SECTOR_BYTES, err) < 0)
            return -1;
    }
    return gather_flush(&vhd->gather, err);
}

static int dynamic_finish(struct format *format, struct err *err)
{
    struct vhd vhd = {.slots = NULL};
    int result = -1;
    if (read_footers(format, &vhd, err) == 0 && read_header(format, &vhd, err) == 0 &&
        make_slots(format, &vhd, err) == 0) {
        gather_open(&vhd.gather, format);
        result = copy_blocks(format, &vhd, err);
        gather_close(&vhd.gather);
    }
    format->size_bytes = vhd.footer.size_bytes;
    free(vhd.slots);
    free(vhd.bitmap);
    return result;
}

static void dynamic_close(struct format *format)
{
    (void)format;
}

const struct format_type format_vhd_dynamic = {"VHD", scratch_open, scratch_feed, dynamic_finish,
                                               dynamic_close};
