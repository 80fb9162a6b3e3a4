/* qcow2: an L1 table of L2 tables of clusters, each anywhere in the file. What the active tables
 * name is copied; internal snapshots are not looked at, nor are reference counts. */
#include "import/qcow2.h"

#include "base/err.h"
#include "base/memory.h"
#include "import/format.h"
#include "import/scratch.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define OFFSET_MASK UINT64_C(0x00fffffffffffe00)
#define L1_RESERVED UINT64_C(0x7f000000000001ff)
#define L2_RESERVED UINT64_C(0x3f000000000001fe)
#define L2_COMPRESSED (UINT64_C(1) << 62)
#define L2_ZERO UINT64_C(1)
#define SUBCLUSTERS 32
#define SECTOR_BYTES 512
#define CLUSTERS_MAX (UINT64_C(1) << 28) /* of the file: 32 MiB of `claimed` */
#define L1_PART 4096                     /* entries read at once */

static int corrupt(struct err *err, const char *what, uint64_t at)
{
    return err_set(err, ERR_IMAGE_CORRUPT, "the qcow2 file %s at byte %llu", what,
                   (unsigned long long)at);
}

/* Each cluster of the file is one entry's alone; otherwise tables could name themselves, and a
 * small file could swell without end. */
static int claim(struct qcow2 *image, uint64_t at, uint64_t length, const char *what,
                 struct err *err)
{
    if (at % image->cluster_bytes != 0)
        return err_set(err, ERR_IMAGE_CORRUPT, "the qcow2 file's %s is at an odd place, byte %llu",
                       what, (unsigned long long)at);
    if (scratch_check(image->format, at, length, what, err) < 0)
        return -1;
    uint64_t first = at >> image->cluster_bits;
    uint64_t end = (at + length + image->cluster_bytes - 1) >> image->cluster_bits;
    for (uint64_t cluster = first; cluster < end; cluster++) {
        unsigned char bit = (unsigned char)(1u << (cluster % 8));
        if (image->claimed[cluster / 8] & bit)
            return err_set(err, ERR_IMAGE_CORRUPT,
                           "the qcow2 file's %s at byte %llu overlaps another part of the file",
                           what, (unsigned long long)at);
        image->claimed[cluster / 8] |= bit;
    }
    return 0;
}

static int copy_part(struct qcow2 *image, uint64_t offset, uint64_t at, uint64_t length,
                     struct err *err)
{
    if (offset >= image->size_bytes)
        return 0;
    if (length > image->size_bytes - offset)
        length = image->size_bytes - offset;
    unsigned char *room = gather_room(&image->gather, offset, (size_t)length, err);
    return !room ? -1 : scratch_read(image->format, at, room, (size_t)length, "cluster", err);
}

static int copy_compressed(struct qcow2 *image, uint64_t offset, uint64_t entry, struct err *err)
{
    unsigned offset_bits = 62 - (image->cluster_bits - 8);
    uint64_t at = entry & ((UINT64_C(1) << offset_bits) - 1);
    uint64_t sectors = ((entry & (L2_COMPRESSED - 1)) >> offset_bits) + 1;
    uint64_t length = sectors * SECTOR_BYTES - at % SECTOR_BYTES;
    uint64_t taken = image->format->taken_bytes;
    if (scratch_check(image->format, at, 1, "compressed cluster", err) < 0)
        return -1;
    if (length > taken - at) /* it ends somewhere in its last sector, and so may the file */
        length = taken - at;
    image->packed_bytes += length;
    image->packed_clusters++;
    if (image->packed_bytes > taken + image->packed_clusters * SECTOR_BYTES)
        return corrupt(err, "has compressed clusters that overlap, such as the one", at);
    if (!image->unpack)
        image->unpack = unpack_open(image->compression, (size_t)image->cluster_bytes);
    if (scratch_read(image->format, at, unpack_input(image->unpack), (size_t)length,
                     "compressed cluster", err) < 0)
        return -1;
    const unsigned char *data = unpack_cluster(image->unpack, (size_t)length);
    if (!data)
        return corrupt(err, "has a damaged compressed cluster", at);
    uint64_t left = image->size_bytes - offset;
    size_t part = (size_t)(left < image->cluster_bytes ? left : image->cluster_bytes);
    unsigned char *room = gather_room(&image->gather, offset, part, err);
    if (!room)
        return -1;
    memcpy(room, data, part);
    return 0;
}

static int copy_subclusters(struct qcow2 *image, uint64_t offset, uint64_t at, uint64_t bitmap,
                            struct err *err)
{
    uint32_t present = (uint32_t)bitmap, zero = (uint32_t)(bitmap >> 32);
    uint64_t part = image->cluster_bytes / SUBCLUSTERS;
    if ((present & zero) != 0 || (present != 0 && at == 0))
        return corrupt(err, "contradicts itself on the subclusters of the cluster", at);
    if (present != 0 && claim(image, at, image->cluster_bytes, "cluster", err) < 0)
        return -1;
    for (unsigned index = 0; index < SUBCLUSTERS; index++)
        if ((present >> index & 1) != 0 &&
            copy_part(image, offset + index * part, at + index * part, part, err) < 0)
            return -1;
    return 0;
}

static int copy_cluster(struct qcow2 *image, uint64_t offset, size_t index, struct err *err)
{
    uint64_t entry = be64toh(image->l2[image->extended ? 2 * index : index]);
    uint64_t bitmap = image->extended ? be64toh(image->l2[2 * index + 1]) : 0;
    uint64_t at = entry & OFFSET_MASK;
    if (entry & L2_COMPRESSED)
        return bitmap != 0 ? corrupt(err, "has a compressed cluster with subclusters", at)
                           : copy_compressed(image, offset, entry, err);
    uint64_t reserved = L2_RESERVED | (image->version == 2 || image->extended ? L2_ZERO : 0);
    if (entry & reserved)
        return err_set(err, ERR_IMAGE_CORRUPT,
                       "the qcow2 file has a malformed L2 entry, 0x%016llx, for the disk's byte "
                       "%llu",
                       (unsigned long long)entry, (unsigned long long)offset);
    if (image->extended)
        return copy_subclusters(image, offset, at, bitmap, err);
    if (at == 0 || (entry & L2_ZERO))
        return 0;
    uint64_t left = image->size_bytes - offset;
    uint64_t part = left < image->cluster_bytes ? left : image->cluster_bytes;
    if (claim(image, at, part, "cluster", err) < 0)
        return -1;
    return copy_part(image, offset, at, part, err);
}

static int copy_table(struct qcow2 *image, uint64_t offset, uint64_t entry, struct err *err)
{
    uint64_t at = entry & OFFSET_MASK;
    if (entry & L1_RESERVED)
        return err_set(err, ERR_IMAGE_CORRUPT, "the qcow2 file has a malformed L1 entry, 0x%016llx",
                       (unsigned long long)entry);
    if (at == 0)
        return 0;
    if (claim(image, at, image->cluster_bytes, "L2 table", err) < 0 ||
        scratch_read(image->format, at, image->l2, (size_t)image->cluster_bytes, "L2 table", err) !=
            0)
        return -1;
    for (size_t index = 0; index < image->l2_entries && offset < image->size_bytes; index++) {
        if (copy_cluster(image, offset, index, err) < 0)
            return -1;
        offset += image->cluster_bytes;
    }
    return gather_flush(&image->gather, err);
}

static int copy_tables(struct qcow2 *image, struct err *err)
{
    CLEANUP_FREE uint64_t *part = xcalloc(L1_PART, sizeof(*part));
    uint64_t mapped = image->cluster_bytes * image->l2_entries;
    if (claim(image, 0, 1, "header", err) < 0 ||
        claim(image, image->l1_at, image->l1_entries * 8, "L1 table", err) < 0)
        return -1;
    for (uint64_t index = 0; index < image->l1_entries; index++) {
        uint64_t left = image->l1_entries - index;
        size_t count = left < L1_PART ? (size_t)left : L1_PART;
        if (index % L1_PART == 0 && scratch_read(image->format, image->l1_at + index * 8, part,
                                                 count * 8, "L1 table", err) < 0)
            return -1;
        if (copy_table(image, index * mapped, be64toh(part[index % L1_PART]), err) < 0)
            return -1;
    }
    return gather_flush(&image->gather, err);
}

static int qcow2_finish(struct format *format, struct err *err)
{
    struct qcow2 image = {.format = format};
    if (qcow2_header_read(format, &image, err) < 0)
        return -1;
    uint64_t clusters = (format->taken_bytes >> image.cluster_bits) + 1;
    if (clusters > CLUSTERS_MAX)
        return err_set(err, ERR_IMAGE_UNSUPPORTED,
                       "the qcow2 file has more than %llu clusters: convert it to larger ones",
                       (unsigned long long)CLUSTERS_MAX);
    image.claimed = xcalloc(1, clusters / 8 + 1);
    image.l2 = xcalloc(1, image.cluster_bytes);
    gather_open(&image.gather, format);
    int result = copy_tables(&image, err);
    gather_close(&image.gather);
    unpack_close(image.unpack);
    free(image.l2);
    free(image.claimed);
    format->size_bytes = image.size_bytes;
    return result;
}

static void qcow2_close(struct format *format)
{
    (void)format;
}

const struct format_type format_qcow2 = {"qcow2", scratch_open, scratch_feed, qcow2_finish,
                                         qcow2_close};
