#include "capacity/admit.h"

#include "backend/backend.h"
#include "base/err.h"
#include "base/memory.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/size.h"
#include "model/slice.h"
#include "model/volume.h"

#include <string.h>

/* Measured on Xen 4.20: a domain's structures, event channels, grant tables and its share of the
 * heap take under 4 MiB; libxl adds 1 MiB per processor and 8 KiB per MiB of memory for nested page
 * tables (PVH) or shadow (PV, when it migrates). */
#define DOMAIN_OVERHEAD_MIB 4
#define VCPU_OVERHEAD_MIB 1
#define PAGING_SHARE 128

#define SEED_BYTES (1 * MIB)

/* What dom0 uses without slices (54 MiB after a boot), what imports, downloads and workers take for
 * a while, and what stays free so that nothing is killed (health.h). Ten times as much would leave
 * nothing of the usual 256 MiB. */
#define DOM0_OWN_KIB (112u << 10)
/* What a guest that asks for all it can get makes dom0 take, by the bounds in
 * image/arguments.linux and hv/linux/patches. At ten times these a node would take five slices.
 * A disk: 32 requests of 3 KiB with 3 KiB of the layers below, 352 pages that stay mapped and 1152
 * that come and go, of 176 and 80 bytes, and its thread. */
#define DOM0_DISK_KIB 384
/* A NIC: 512 KiB of packets that its guest does not take, 256 that it sends and nobody takes of 1.3
 * KiB each, the queue and its two threads. */
#define DOM0_NIC_KIB 1024
/* What xenstored keeps for it (a quota of 256 KiB, initramfs/etc/service/xenstored.run, and half as
 * much that it does not count), its devices of device mapper, what else knows of a domain. */
#define DOM0_DOMAIN_KIB 512
#define OWN_DISKS 2 /* its own and the seed */

uint64_t admit_domain_memory_mib(const struct domain_size *size)
{
    return size->memory_mib + (size->max_memory_mib + PAGING_SHARE - 1) / PAGING_SHARE +
           DOMAIN_OVERHEAD_MIB + size->max_vcpus * VCPU_OVERHEAD_MIB;
}

struct domain_size admit_domain_size(const struct slice *slice)
{
    return slice->domain_id >= 0 && slice->domain.memory_mib ? slice->domain : slice_size(slice);
}

uint64_t admit_slice_memory_mib(const struct slice *slice)
{
    struct domain_size has = admit_domain_size(slice), next = slice_size(slice);
    uint64_t now = admit_domain_memory_mib(&has), then = admit_domain_memory_mib(&next);
    return now > then ? now : then;
}

uint64_t admit_slice_dom0_kib(const struct slice *slice)
{
    return DOM0_DOMAIN_KIB + OWN_DISKS * DOM0_DISK_KIB + slice->nic_count * DOM0_NIC_KIB;
}

uint64_t admit_dom0_for_slices_kib(uint64_t dom0_kib)
{
    return dom0_kib > DOM0_OWN_KIB ? dom0_kib - DOM0_OWN_KIB : 0;
}

uint64_t admit_slice_disk_bytes(const struct slice *slice)
{
    return slice->disk_gib * GIB + SEED_BYTES;
}

bool admit_holds_memory(const struct slice *slice)
{
    if (slice->state == SLICE_TERMINATING)
        return slice->domain_id >= 0;
    return slice->desired_running || slice->state == SLICE_RUNNING ||
           slice->state == SLICE_PAUSED || slice->domain_id >= 0;
}

void admit_promise_memory(struct capacity *capacity, const struct slice *slice)
{
    capacity->memory_promised_mib += admit_slice_memory_mib(slice);
    capacity->dom0_slices_kib += admit_slice_dom0_kib(slice);
}

void admit_promises(struct capacity *capacity, const struct slice *const *slices,
                    size_t slice_count, const char *except, const struct image *images,
                    size_t image_count, uint64_t snapshots_bytes)
{
    capacity->memory_promised_mib = 0;
    capacity->dom0_slices_kib = 0;
    capacity->dom0_volumes_kib = 0;
    capacity->disk_promised_bytes = snapshots_bytes;
    for (size_t i = 0; i < slice_count; i++) {
        if (except && strcmp(slices[i]->id, except) == 0)
            continue;
        if (admit_holds_memory(slices[i]))
            admit_promise_memory(capacity, slices[i]);
        capacity->disk_promised_bytes += admit_slice_disk_bytes(slices[i]);
    }
    for (size_t i = 0; i < image_count; i++)
        if (images[i].kind == IMAGE_DISK)
            capacity->disk_promised_bytes += images[i].mapped_bytes;
}

void admit_volumes(struct capacity *capacity, const struct volume *volumes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        capacity->disk_promised_bytes += volumes[i].size_gib * GIB;
        if (volumes[i].slice[0])
            capacity->dom0_volumes_kib += DOM0_DISK_KIB;
    }
}

uint64_t admit_memory_free_mib(const struct capacity *capacity)
{
    return capacity->memory_mib > capacity->memory_promised_mib
               ? capacity->memory_mib - capacity->memory_promised_mib
               : 0;
}

uint64_t admit_dom0_free_kib(const struct capacity *capacity)
{
    uint64_t promised = capacity->dom0_slices_kib + capacity->dom0_volumes_kib;
    return capacity->dom0_kib > promised ? capacity->dom0_kib - promised : 0;
}

uint64_t admit_disk_free_bytes(const struct capacity *capacity)
{
    return capacity->disk_bytes > capacity->disk_promised_bytes
               ? capacity->disk_bytes - capacity->disk_promised_bytes
               : 0;
}

double admit_metadata_percent(const struct capacity *capacity)
{
    const struct pool_usage *pool = &capacity->pool;
    return pool->metadata_total_bytes
               ? 100.0 * (double)pool->metadata_used_bytes / (double)pool->metadata_total_bytes
               : 0;
}

int admit_vcpus(const struct capacity *capacity, unsigned vcpus, struct err *err)
{
    if (vcpus > capacity->threads)
        return err_set(err, ERR_INSUFFICIENT_VCPUS, "%u vcpus asked, the node has %u", vcpus,
                       capacity->threads);
    return 0;
}

int admit_memory(const struct capacity *capacity, const struct slice *slice, struct err *err)
{
    uint64_t needed = admit_slice_memory_mib(slice), left = admit_memory_free_mib(capacity);
    if (needed > left)
        return err_set(err, ERR_INSUFFICIENT_MEMORY,
                       "%llu MiB asked (%llu MiB with overhead), %llu MiB available",
                       (unsigned long long)slice->memory_mib, (unsigned long long)needed,
                       (unsigned long long)left);
    return 0;
}

static int admit_dom0(const struct capacity *capacity, uint64_t needed_kib, const char *what,
                      struct err *err)
{
    uint64_t left = admit_dom0_free_kib(capacity);
    if (needed_kib > left)
        return err_set(err, ERR_INSUFFICIENT_MEMORY,
                       "%s can take %llu KiB of dom0's memory, %llu KiB of its %llu MiB for slices "
                       "are left: boot the node with a larger slicenode.dom0_mem",
                       what, (unsigned long long)needed_kib, (unsigned long long)left,
                       (unsigned long long)(capacity->dom0_kib >> 10));
    return 0;
}

int admit_back_ends(const struct capacity *capacity, const struct slice *slice, struct err *err)
{
    return admit_dom0(capacity, admit_slice_dom0_kib(slice), "the slice", err);
}

int admit_domain(const struct capacity *capacity, const struct slice *slice, struct err *err)
{
    return admit_memory(capacity, slice, err) < 0 ? -1 : admit_back_ends(capacity, slice, err);
}

int admit_attached_volume(const struct capacity *capacity, struct err *err)
{
    return admit_dom0(capacity, DOM0_DISK_KIB, "the volume", err);
}

int admit_pool(const struct capacity *capacity, struct err *err)
{
    const struct pool_usage *pool = &capacity->pool;
    if (!capacity->storage)
        return err_set(err, ERR_STORAGE_MISSING, "the node has no storage: no disk could be used");
    if (capacity->state_full)
        return err_set(err, ERR_INSUFFICIENT_DISK,
                       "the node's state volume is full: nothing new until there is room");
    if (pool->failed || pool->read_only)
        return err_set(err, ERR_STORAGE_ERROR, "the pool %s",
                       pool->failed ? "has failed" : "is read-only");
    double data = pool->data_total_bytes
                      ? 100.0 * (double)pool->data_used_bytes / (double)pool->data_total_bytes
                      : 100.0;
    double metadata = admit_metadata_percent(capacity);
    if (data >= ADMIT_DATA_FULL_PERCENT)
        return err_set(err, ERR_POOL_FULL,
                       "%.1f %% of the pool is in use: nothing new from %d %% on", data,
                       ADMIT_DATA_FULL_PERCENT);
    if (metadata >= ADMIT_METADATA_FULL_PERCENT)
        return err_set(err, ERR_POOL_FULL,
                       "%.1f %% of the pool's metadata is in use: nothing new from %d %% on",
                       metadata, ADMIT_METADATA_FULL_PERCENT);
    return 0;
}

uint64_t admit_disk_short_bytes(const struct capacity *capacity, uint64_t bytes)
{
    const struct pool_usage *pool = &capacity->pool;
    uint64_t left = admit_disk_free_bytes(capacity);
    uint64_t limit = pool->data_total_bytes / 100 * ADMIT_DATA_FULL_PERCENT;
    uint64_t promised = bytes > left ? bytes - left : 0;
    uint64_t used = pool->data_used_bytes >= limit ? pool->data_used_bytes - limit + 1 : 0;
    return promised > used ? promised : used;
}

int admit_disk(const struct capacity *capacity, uint64_t bytes, const char *what, struct err *err)
{
    uint64_t left = admit_disk_free_bytes(capacity);
    if (admit_pool(capacity, err) < 0)
        return -1;
    if (bytes > left)
        return err_set(err, ERR_INSUFFICIENT_DISK, "%s needs %llu MiB of disk, %llu MiB available",
                       what, (unsigned long long)((bytes + MIB - 1) / MIB),
                       (unsigned long long)(left / MIB));
    return 0;
}
