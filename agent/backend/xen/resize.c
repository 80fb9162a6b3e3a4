/* Changing the processors and the memory of a domain that runs. The guest is told by xenstore,
 * and follows or not: what it is given it may leave alone, but what it is to give back is waited
 * for. */
#include "backend/xen/resize.h"

#include "backend/backend.h"
#include "backend/xen/children.h"
#include "backend/xen/list.h"
#include "backend/xen/log.h"
#include "backend/xen/xen.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <libxl_utils.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define INTERVAL_MS 100
/* Guests stop a little above what they were asked to: Linux counts some pages of its own
 * otherwise. */
#define MEMORY_SLACK_MIB 8

typedef int set_function(struct be_xen *xen, const char *slice, uint32_t domain_id, uint64_t to,
                         struct err *err);
/* What the domain holds, in the unit of the change. */
typedef uint64_t held_function(const struct xen_domain *info);

/* 1 when the slice has a domain that runs. */
static int find_running(struct be_xen *xen, const char *slice, struct xen_domain *info,
                        struct err *err)
{
    int found = be_xen_find(xen, slice, false, info, err);

    return found > 0 && info->shutdown ? 0 : found;
}

/* 1 when the guest has given back what it should, 0 when it has stopped doing so before. */
static int wait_for_guest(struct be_xen *xen, const char *slice, const struct domain_change *change,
                          held_function *held, struct err *err)
{
    uint64_t until = 0, least = UINT64_MAX;
    struct xen_domain info;

    for (;;) {
        int found = find_running(xen, slice, &info, err);

        if (found <= 0)
            return found;
        if (held(&info) <= change->to)
            return 1;
        if (held(&info) < least) {
            least = held(&info);
            until = monotonic_ms() + (uint64_t)change->wait_seconds * 1000;
        }
        if (info.paused || monotonic_ms() >= until)
            return 0;
        nanosleep(&(struct timespec){.tv_nsec = INTERVAL_MS * 1000000L}, NULL);
    }
}

static int change_domain(struct be_xen *xen, const char *slice, const struct xen_domain *info,
                         const struct domain_change *change, set_function *set, held_function *held,
                         bool *now, struct err *err)
{
    if (set(xen, slice, info->domid, change->to, err) < 0)
        return -1;
    *now = true;
    if (change->to >= change->from || change->wait_seconds == 0)
        return 0;
    int done = wait_for_guest(xen, slice, change, held, err);
    *now = done > 0;
    if (done != 0)
        return done < 0 ? -1 : 0;
    struct xen_domain present;
    int found = find_running(xen, slice, &present, err);
    if (found > 0)
        log_info("slice %s holds %" PRIu64 " and is to hold %" PRIu64 ", but gives nothing back",
                 slice, held(&present), change->to);
    /* A guest that has ended meanwhile needs nothing. */
    return found <= 0 ? found : set(xen, slice, info->domid, change->from, err);
}

/* --- Processors ------------------------------------------------------------------------------- */

static int set_vcpus(struct be_xen *xen, const char *slice, uint32_t domain_id, uint64_t to,
                     struct err *err)
{
    libxl_bitmap map;
    sigset_t saved;

    libxl_bitmap_init(&map);
    if (libxl_cpu_bitmap_alloc(xen->context, &map, (int)to))
        return err_set(err, ERR_INTERNAL, "cannot describe %" PRIu64 " vCPUs", to);
    for (int i = 0; i < (int)to; i++)
        libxl_bitmap_set(&map, i);
    be_xen_forget(xen);
    be_xen_children_begin(&saved);
    int code = libxl_set_vcpuonline(xen->context, domain_id, &map, NULL);
    be_xen_children_end(&saved);
    libxl_bitmap_dispose(&map);
    return code ? be_xen_fail(xen, err, code, "change the vCPUs of", slice) : 0;
}

static uint64_t vcpus_held(const struct xen_domain *info)
{
    return info->vcpu_online;
}

int be_xen_set_vcpus(void *state, const char *slice, const struct domain_change *change, bool *now,
                     struct err *err)
{
    struct xen_domain info;
    int found = find_running(state, slice, &info, err);

    *now = false;
    if (found <= 0)
        return found;
    if (change->to == 0 || change->to > (uint64_t)info.vcpu_max_id + 1)
        return 0;
    return change_domain(state, slice, &info, change, set_vcpus, vcpus_held, now, err);
}

/* --- Memory ----------------------------------------------------------------------------------- */

static int read_static_max(struct be_xen *xen, uint32_t domain_id, uint64_t *max_kib,
                           struct err *err)
{
    char path[64];
    unsigned length;

    snprintf(path, sizeof(path), "/local/domain/%" PRIu32 "/memory/static-max", domain_id);
    CLEANUP_FREE char *text = xs_read(xen->store, XBT_NULL, path, &length);
    if (!text)
        return err_errno(err, ERR_HYPERVISOR_ERROR, errno, "cannot read %s", path);
    *max_kib = strtoull(text, NULL, 10);
    return 0;
}

static int set_memory(struct be_xen *xen, const char *slice, uint32_t domain_id, uint64_t to,
                      struct err *err)
{
    be_xen_forget(xen);
    int code = libxl_set_memory_target(xen->context, domain_id, (int64_t)to * 1024, 0, 1);
    return code ? be_xen_fail(xen, err, code, "change the memory of", slice) : 0;
}

static uint64_t memory_held(const struct xen_domain *info)
{
    uint64_t mib = (info->current_memkb + info->outstanding_memkb) / 1024;

    return mib > MEMORY_SLACK_MIB ? mib - MEMORY_SLACK_MIB : 0;
}

int be_xen_set_memory(void *state, const char *slice, const struct domain_change *change, bool *now,
                      struct err *err)
{
    struct xen_domain info;
    uint64_t max_kib = 0;
    int found = find_running(state, slice, &info, err);

    *now = false;
    if (found <= 0)
        return found;
    if (read_static_max(state, info.domid, &max_kib, err) < 0)
        return -1;
    if (change->to == 0 || change->to * 1024 > max_kib)
        return 0;
    return change_domain(state, slice, &info, change, set_memory, memory_held, now, err);
}
