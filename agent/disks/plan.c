#include "disks/plan.h"

#define STATE_LEAST_MIB 1024
#define STATE_MOST_MIB 16384
#define CHUNK_LEAST_KIB 64u
#define CHUNK_MOST_KIB (16u << 10)
/* One mapping of a chunk takes 16 bytes in a B-tree whose nodes are at least half full and carry
 * their own overhead; LVM reckons with 64 (lvmthin(7), "metadata space"). */
#define BYTES_PER_CHUNK 64
/* DM_THIN_MAX_METADATA_SIZE of the kernel, 255 * (2^14 - 64) blocks of 4 KiB, in whole extents. */
#define METADATA_MOST_MIB 16192
#define METADATA_LEAST_MIB 4
/* A quarter of what METADATA_MOST_MIB can tell apart. */
#define METADATA_NEW_MOST_MIB (METADATA_MOST_MIB / 4)

static uint64_t needed_mib(uint64_t pool_mib, unsigned chunk_kib)
{
    uint64_t chunks = pool_mib * 1024 / chunk_kib;

    return (chunks * BYTES_PER_CHUNK + ((1u << 20) - 1)) >> 20;
}

uint64_t plan_state_mib(uint64_t group_mib)
{
    uint64_t mib = group_mib / 20;

    if (mib < STATE_LEAST_MIB)
        return STATE_LEAST_MIB;
    return mib > STATE_MOST_MIB ? STATE_MOST_MIB : mib;
}

unsigned plan_chunk_kib(uint64_t pool_mib)
{
    unsigned kib = CHUNK_LEAST_KIB;

    while (kib < CHUNK_MOST_KIB && needed_mib(pool_mib, kib) > METADATA_NEW_MOST_MIB)
        kib *= 2;
    return kib;
}

uint64_t plan_metadata_mib(uint64_t pool_mib, unsigned chunk_kib)
{
    uint64_t mib = needed_mib(pool_mib, chunk_kib);

    if (mib < METADATA_LEAST_MIB)
        return METADATA_LEAST_MIB;
    return mib > METADATA_MOST_MIB ? METADATA_MOST_MIB : mib;
}

uint64_t plan_most_mib(unsigned chunk_kib)
{
    uint64_t mib = METADATA_MOST_MIB / BYTES_PER_CHUNK * (uint64_t)chunk_kib * 1024;

    return mib < POOL_LARGEST_MIB ? mib : POOL_LARGEST_MIB;
}

uint64_t plan_mirror_pool_mib(uint64_t disk_mib)
{
    uint64_t state_mib = plan_state_mib(disk_mib), pool_mib = disk_mib - state_mib;
    /* LVM's own MiB and rounding, and a record of an extent to each of the three mirrors; a
     * hundredth is left for larger metadata. */
    uint64_t rest_mib =
        plan_metadata_mib(pool_mib, plan_chunk_kib(pool_mib)) + 8 + 3 * 4 + pool_mib / 100;

    return pool_mib > rest_mib ? pool_mib - rest_mib : 0;
}
