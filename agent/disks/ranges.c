/* Which parts of a disk are read before it is taken for blank.
 *
 * libblkid's signatures lie in the first and the last MiB and a half (Promise's RAID is the
 * farthest from the end, 3087 sectors; util-linux, libblkid/src/superblocks); ZFS has labels in
 * the last 512 KiB, LUKS2 a second header at up to 4 MiB. A disk whose beginning was wiped still
 * has the copies that its file system keeps: ext4's superblock at 32768 blocks, btrfs' at 64 MiB
 * and 256 GiB, NTFS' file table at 3 GiB, XFS' groups at the quarters, each with or without a
 * partition table before it. The samples all over find what has no signature, such as a volume
 * that is encrypted without a header. */
#include "base/memory.h"
#include "disks/content.h"

#include <stdlib.h>

/* At ten times the size the first boot of a server with hard disks takes a second longer; later
 * boots read no disk that is ours. */
#define EDGE_BYTES (16 * MIB)
#define COPY_BYTES (4 * MIB)
#define SAMPLES 64
#define SAMPLE_BYTES (256u << 10)

static const uint64_t copies[] = {64 * MIB, 128 * MIB, 384 * MIB, 3 * GIB, 256 * GIB};

static void add(struct range *ranges, unsigned *count, uint64_t size, uint64_t start,
                uint64_t length)
{
    if (start >= size)
        return;
    if (length > size - start)
        length = size - start;
    ranges[(*count)++] = (struct range){start, length};
}

static int compare(const void *left, const void *right)
{
    const struct range *a = left, *b = right;

    return a->start < b->start ? -1 : a->start > b->start;
}

static unsigned join(struct range *ranges, unsigned count)
{
    unsigned kept = 0;

    qsort(ranges, count, sizeof(ranges[0]), compare);
    for (unsigned i = 1; i < count; i++) {
        struct range *last = &ranges[kept];
        uint64_t end = last->start + last->length, other = ranges[i].start + ranges[i].length;
        if (ranges[i].start > end)
            ranges[++kept] = ranges[i];
        else if (other > end)
            last->length = other - last->start;
    }
    return count ? kept + 1 : 0;
}

unsigned content_ranges(uint64_t size_bytes, struct range ranges[static RANGES_MAX])
{
    uint64_t tail = size_bytes > EDGE_BYTES ? size_bytes - EDGE_BYTES : 0;
    unsigned count = 0;

    add(ranges, &count, size_bytes, 0, EDGE_BYTES);
    /* To the very last byte, however odd the size. */
    add(ranges, &count, size_bytes, tail, EDGE_BYTES);
    for (size_t i = 0; i < ARRAY_LENGTH(copies); i++)
        add(ranges, &count, size_bytes, copies[i], COPY_BYTES);
    for (unsigned i = 1; i < SAMPLES; i++) {
        /* In whole pages; around the place, since what divides a disk rounds up or down. */
        uint64_t middle = size_bytes / SAMPLES * i;
        uint64_t start = middle > SAMPLE_BYTES / 2 ? middle - SAMPLE_BYTES / 2 : 0;
        add(ranges, &count, size_bytes, start & ~(uint64_t)4095, SAMPLE_BYTES);
    }
    return join(ranges, count);
}
