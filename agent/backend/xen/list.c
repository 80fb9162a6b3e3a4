/* Which domains there are. Asked of Xen itself: libxl_list_domain shares room for a thousand of
 * them with Xen at a time, and that twice, which takes most of its 10 to 20 ms where such memory
 * is slow to map. */
#include "backend/xen/list.h"

#include "backend/backend.h"
#include "backend/domain_list.h"
#include "backend/xen/log.h"
#include "backend/xen/xen.h"
#include "base/err.h"
#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* Domains of one call, whatever there are in all: 4 KiB on the stack. */
#define BATCH 32

static void read_domain(const xc_domaininfo_t *from, struct xen_domain *to)
{
    *to = (struct xen_domain){.domid = from->domain,
                              .dying = from->flags & XEN_DOMINF_dying,
                              .shutdown = from->flags & XEN_DOMINF_shutdown,
                              .paused = from->flags & XEN_DOMINF_paused,
                              .shutdown_reason = dominfo_shutdown_reason(from),
                              .cpu_time = from->cpu_time,
                              .current_memkb = from->tot_pages * PAGE_KIB,
                              .outstanding_memkb = from->outstanding_pages * PAGE_KIB,
                              .vcpu_online = from->nr_online_vcpus,
                              .vcpu_max_id = from->max_vcpu_id};
    snprintf(to->uuid, sizeof(to->uuid), LIBXL_UUID_FMT, LIBXL__UUID_BYTES(from->handle));
}

int be_xen_domains(struct be_xen *xen, struct xen_domain **list, size_t *count, struct err *err)
{
    xc_domaininfo_t batch[BATCH];
    struct xen_domain *found = NULL;
    uint32_t first = 1;
    int got;

    *count = 0;
    do {
        be_xen_forget(xen);
        got = xc_domain_getinfolist(xen->control, first, BATCH, batch);
        if (got < 0) {
            free(found);
            return err_errno(err, ERR_HYPERVISOR_ERROR, errno, "cannot list the domains");
        }
        found = xrealloc(found, (*count + BATCH) * sizeof(*found));
        for (int i = 0; i < got; i++)
            read_domain(&batch[i], &found[(*count)++]);
        if (got > 0)
            first = batch[got - 1].domain + 1u;
    } while (got == BATCH);
    *list = found;
    return 0;
}

int be_xen_find(struct be_xen *xen, const char *slice, bool dying, struct xen_domain *info,
                struct err *err)
{
    CLEANUP_FREE struct xen_domain *list = NULL;
    size_t count;

    if (be_xen_domains(xen, &list, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].uuid, slice) != 0 || (list[i].dying && !dying))
            continue;
        *info = list[i];
        return 1;
    }
    return 0;
}

static int compare_domids(const void *left, const void *right)
{
    const struct xen_domain *one = left, *other = right;
    return (one->domid > other->domid) - (one->domid < other->domid);
}

static bool was_ours(const struct be_xen *xen, const struct xen_domain *domain)
{
    const struct xen_domain *known = xen->ours_count ? bsearch(domain, xen->ours, xen->ours_count,
                                                               sizeof(*domain), compare_domids)
                                                     : NULL;
    return known && strcmp(known->uuid, domain->uuid) == 0;
}

/* Whether the domain is one that this agent made (1, 0): its name is its UUID. A dying one has lost
 * its name already. -1 when its name cannot be read: it may be anybody's. */
static int is_ours(struct be_xen *xen, const struct xen_domain *domain, struct err *err)
{
    char path[64];
    unsigned length;

    if (was_ours(xen, domain))
        return 1;
    snprintf(path, sizeof(path), "/local/domain/%u/name", domain->domid);
    CLEANUP_FREE char *name = xs_read(xen->store, XBT_NULL, path, &length);
    if (!name && errno != ENOENT)
        return err_errno(err, ERR_HYPERVISOR_ERROR, errno, "cannot read the name of domain %u",
                         domain->domid);
    return name ? strcmp(name, domain->uuid) == 0 : domain->dying;
}

static enum shutdown_reason reason_of(unsigned reason)
{
    switch (reason) {
    case SHUTDOWN_poweroff:
        return SHUTDOWN_POWEROFF;
    case SHUTDOWN_reboot:
        return SHUTDOWN_REBOOT;
    case SHUTDOWN_crash:
    case SHUTDOWN_watchdog:
        return SHUTDOWN_CRASH;
    case SHUTDOWN_suspend:
        return SHUTDOWN_SUSPEND;
    default:
        return SHUTDOWN_OTHER;
    }
}

static void describe(const struct xen_domain *from, struct domain_info *domain)
{
    memset(domain, 0, sizeof(*domain));
    copy_text(domain->slice, sizeof(domain->slice), from->uuid);
    domain->domain_id = (int)from->domid;
    domain->cpu_ms = from->cpu_time / 1000000;
    domain->memory_kib = from->current_memkb;
    if (from->dying) {
        domain->state = DOMAIN_DYING;
    } else if (from->shutdown) {
        domain->state = DOMAIN_SHUTDOWN;
        domain->reason = reason_of(from->shutdown_reason);
    } else {
        domain->state = from->paused ? DOMAIN_PAUSED : DOMAIN_RUNNING;
    }
}

/* Leaves ours in the array; how many they are, or -1. */
static ssize_t keep_ours(struct be_xen *xen, struct xen_domain *all, size_t count, struct err *err)
{
    ssize_t ours = 0;

    for (size_t i = 0; i < count; i++) {
        int mine = is_ours(xen, &all[i], err);
        if (mine < 0)
            return -1;
        if (mine > 0)
            all[ours++] = all[i];
    }
    return ours;
}

int be_xen_list(void *state, struct domain_info **list, size_t *count, struct err *err)
{
    struct be_xen *xen = state;
    struct xen_domain *all = NULL;
    size_t all_count;

    *list = NULL;
    *count = 0;
    if (be_xen_domains(xen, &all, &all_count, err) < 0)
        return -1;
    ssize_t ours = keep_ours(xen, all, all_count, err);
    if (ours < 0) {
        free(all);
        return -1;
    }
    free(xen->ours);
    xen->ours = all;
    xen->ours_count = *count = (size_t)ours;
    *list = xcalloc(*count + 1, sizeof(**list));
    for (size_t i = 0; i < *count; i++)
        describe(&all[i], &(*list)[i]);
    domain_list_sort(*list, *count);
    return 0;
}

int be_xen_find_domain(void *state, const char *slice, struct domain_info *info, struct err *err)
{
    struct be_xen *xen = state;
    CLEANUP_FREE struct xen_domain *list = NULL;
    const struct xen_domain *found = NULL;
    size_t count;

    if (be_xen_domains(xen, &list, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].uuid, slice) != 0 || (found && !found->dying))
            continue;
        int mine = is_ours(xen, &list[i], err);
        if (mine < 0)
            return -1;
        if (mine > 0)
            found = &list[i];
    }
    if (!found)
        return 0;
    describe(found, info);
    return 1;
}
