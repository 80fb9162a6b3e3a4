#include "capacity/capacity.h"

#include "backend/backend.h"
#include "backend/domain_list.h"
#include "backend/open.h"
#include "base/err.h"
#include "base/memory.h"
#include "capacity/admit.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/slice.h"
#include "model/volume.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

struct kept {
    const struct slice *const *slices; /* the store's */
    size_t slice_count;
    struct image *images;
    size_t image_count;
    uint64_t snapshots_bytes;
    struct volume *volumes;
    size_t volume_count;
};

static void kept_free(struct kept *kept)
{
    free(kept->images);
    free(kept->volumes);
}

static int kept_read(struct store *store, struct kept *kept, struct err *err)
{
    if (store_slices(store, &kept->slices, &kept->slice_count, err) < 0 ||
        store_images(store, &kept->images, &kept->image_count, err) < 0 ||
        store_snapshots_reserved(store, &kept->snapshots_bytes, err) < 0 ||
        store_volumes(store, NULL, &kept->volumes, &kept->volume_count, err) < 0)
        return -1;
    return 0;
}

/* A domain's memory by the measure of admission, less what it has not taken or has given back: that
 * is among what is free. */
static uint64_t held_mib(const struct slice *slice, const struct domain_info *domain)
{
    struct domain_size size = admit_domain_size(slice);
    uint64_t held = admit_domain_memory_mib(&size);
    uint64_t has_mib = (domain->memory_kib + 1023) / 1024;
    return size.memory_mib > has_mib ? held - (size.memory_mib - has_mib) : held;
}

/* All memory for slices: what is free, and what our domains hold. */
static int slices_memory(struct hypervisor *hypervisor, uint64_t free_mib, const struct kept *kept,
                         uint64_t *memory_mib, struct err *err)
{
    CLEANUP_FREE struct domain_info *list = NULL;
    size_t count;
    if (hypervisor->domain_list(hypervisor->state, &list, &count, err) < 0)
        return -1;
    *memory_mib = free_mib;
    for (size_t i = 0; i < count; i++)
        *memory_mib += list[i].memory_kib / 1024;
    for (size_t i = 0; i < kept->slice_count; i++) {
        size_t some, first = domain_list_find(list, count, kept->slices[i]->id, &some);
        for (size_t k = first; k < first + some; k++)
            *memory_mib += held_mib(kept->slices[i], &list[k]) - list[k].memory_kib / 1024;
    }
    return 0;
}

static int fill(struct backend *backend, const struct kept *kept, uint64_t known_memory_mib,
                struct capacity *capacity, struct err *err)
{
    struct host_info host;
    if (backend->hypervisor.host(backend->hypervisor.state, &host, err) < 0)
        return -1;
    capacity->threads = host.threads;
    capacity->pvh = host.pvh;
    capacity->pv = host.pv;
    capacity->dom0_kib = admit_dom0_for_slices_kib(host.dom0_kib);
    capacity->memory_mib = known_memory_mib;
    if (!known_memory_mib && slices_memory(&backend->hypervisor, host.memory_free_mib, kept,
                                           &capacity->memory_mib, err) < 0)
        return -1;
    capacity->storage = backend->storage.usage;
    if (!capacity->storage)
        return 0;
    if (backend->storage.usage(backend->storage.state, &capacity->pool, err) < 0)
        return -1;
    capacity->disk_bytes = capacity->pool.data_total_bytes;
    return 0;
}

int capacity_read(struct backend *backend, struct store *store, const char *except,
                  uint64_t known_memory_mib, struct capacity *capacity, struct err *err)
{
    struct kept kept = {0};
    memset(capacity, 0, sizeof(*capacity));
    int result = kept_read(store, &kept, err);
    if (result == 0)
        result = fill(backend, &kept, known_memory_mib, capacity, err);
    if (result == 0) {
        admit_promises(capacity, kept.slices, kept.slice_count, except, kept.images,
                       kept.image_count, kept.snapshots_bytes);
        admit_volumes(capacity, kept.volumes, kept.volume_count);
    }
    kept_free(&kept);
    return result;
}
