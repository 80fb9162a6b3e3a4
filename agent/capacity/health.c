#include "capacity/health.h"

#include "backend/backend.h"
#include "base/err.h"
#include "capacity/admit.h"

#define STAY_PERCENT 2 /* a level is left this far below its bound */

static double percent(uint64_t used, uint64_t total)
{
    return total ? 100.0 * (double)used / (double)total : 0;
}

static enum health_level level_of(double share, unsigned low, unsigned full,
                                  enum health_level before)
{
    double full_bound = before >= HEALTH_FULL ? full - STAY_PERCENT : full;
    double low_bound = before >= HEALTH_LOW ? low - STAY_PERCENT : low;
    return share >= full_bound ? HEALTH_FULL : share >= low_bound ? HEALTH_LOW : HEALTH_GOOD;
}

enum health_level health_data(const struct pool_usage *pool, enum health_level before,
                              struct err *problem)
{
    double share = percent(pool->data_used_bytes, pool->data_total_bytes);
    if (pool->out_of_space) {
        err_set(problem, ERR_POOL_FULL,
                "the pool is full: what slices write to new places fails; delete snapshots or "
                "terminate slices, then restart the slices that had errors");
        return HEALTH_BROKEN;
    }
    enum health_level level =
        level_of(share, HEALTH_DATA_LOW_PERCENT, ADMIT_DATA_FULL_PERCENT, before);
    if (level == HEALTH_FULL)
        err_set(problem, ERR_POOL_FULL,
                "%d %% of the pool are in use: nothing new is made; delete snapshots or terminate "
                "slices before the pool is full",
                ADMIT_DATA_FULL_PERCENT);
    else if (level == HEALTH_LOW)
        err_set(problem, ERR_POOL_FULL,
                "%d %% of the pool are in use; from %d %% on nothing new is made",
                HEALTH_DATA_LOW_PERCENT, ADMIT_DATA_FULL_PERCENT);
    return level;
}

enum health_level health_metadata(const struct pool_usage *pool, enum health_level before,
                                  struct err *problem)
{
    double share = percent(pool->metadata_used_bytes, pool->metadata_total_bytes);
    if (pool->failed || pool->read_only) {
        err_set(
            problem, ERR_STORAGE_ERROR,
            "the pool %s: nothing can be made or deleted, what slices write to new places fails; "
            "see its disks and the kernel's log",
            pool->failed ? "has failed" : "is read-only, its metadata is full or damaged");
        return HEALTH_BROKEN;
    }
    enum health_level level =
        level_of(share, HEALTH_METADATA_LOW_PERCENT, ADMIT_METADATA_FULL_PERCENT, before);
    if (level == HEALTH_FULL)
        err_set(problem, ERR_POOL_FULL,
                "%d %% of the pool's metadata are in use: nothing new is made; delete snapshots",
                ADMIT_METADATA_FULL_PERCENT);
    else if (level == HEALTH_LOW)
        err_set(problem, ERR_POOL_FULL,
                "%d %% of the pool's metadata are in use; from %d %% on nothing new is made",
                HEALTH_METADATA_LOW_PERCENT, ADMIT_METADATA_FULL_PERCENT);
    return level;
}

enum health_level health_state(uint64_t free_bytes, enum health_level before, struct err *problem)
{
    /* Full is left only when there is room for the reserve again, and more. */
    uint64_t full = before >= HEALTH_FULL ? HEALTH_STATE_LOW_BYTES / 2 : HEALTH_STATE_FULL_BYTES;
    uint64_t low =
        before >= HEALTH_LOW ? HEALTH_STATE_LOW_BYTES + (8ull << 20) : HEALTH_STATE_LOW_BYTES;
    if (free_bytes < full) {
        err_set(
            problem, ERR_INSUFFICIENT_DISK,
            "the state volume is full: the agent works from its reserve and begins nothing new; "
            "delete kernels and ramdisks that no slice uses, terminate slices");
        return HEALTH_FULL;
    }
    if (free_bytes >= low)
        return HEALTH_GOOD;
    err_set(problem, ERR_INSUFFICIENT_DISK,
            "less than %llu MiB of the state volume are free: delete kernels and ramdisks that no "
            "slice uses",
            HEALTH_STATE_LOW_BYTES >> 20);
    return HEALTH_LOW;
}

enum health_level health_memory(uint64_t available_kib, enum health_level before,
                                struct err *problem)
{
    uint64_t low = before >= HEALTH_LOW ? HEALTH_MEMORY_LOW_KIB * 3 / 2 : HEALTH_MEMORY_LOW_KIB;
    if (available_kib >= low)
        return HEALTH_GOOD;
    err_set(problem, ERR_INSUFFICIENT_MEMORY,
            "less than %llu MiB of dom0's memory are free: slices go on, requests may fail; boot "
            "with a larger dom0_mem when this stays",
            HEALTH_MEMORY_LOW_KIB >> 10);
    return HEALTH_LOW;
}

enum health_level health_mirror(const struct pool_usage *pool, struct err *problem)
{
    if (!pool->mirror_degraded)
        return HEALTH_GOOD;
    err_set(
        problem, ERR_STORAGE_ERROR,
        "the mirror has lost one of its disks: slices run on with the other alone; put in a blank "
        "disk of that size and reboot");
    return HEALTH_LOW;
}
