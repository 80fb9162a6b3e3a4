#include "backend/xen/stop.h"

#include "backend/xen/children.h"
#include "backend/xen/list.h"
#include "backend/xen/log.h"
#include "backend/xen/xen.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/memory.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define GONE_WAIT_MS 15000
#define GONE_FIRST_MS 2 /* from then on twice as long each time, up to: */
#define GONE_INTERVAL_MS 16

int be_xen_shutdown(void *state, const char *slice, bool reboot, struct err *err)
{
    struct be_xen *xen = state;
    const char *wish = reboot ? "reboot" : "poweroff";
    struct xen_domain info;
    char path[64];
    int found = be_xen_find(xen, slice, false, &info, err);

    if (found <= 0)
        return found < 0 ? -1
                         : err_set(err, ERR_SLICE_STATE, "slice %s has no running domain", slice);
    if (info.shutdown)
        return 0;
    /* libxl_domain_shutdown would wait up to a minute for the guest's answer. */
    snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", info.domid);
    if (!xs_write(xen->store, XBT_NULL, path, wish, (unsigned)strlen(wish)))
        return err_errno(err, ERR_HYPERVISOR_ERROR, errno, "cannot ask slice %s to %s", slice,
                         wish);
    return 0;
}

/* 1 while Xen knows a domain of that number. Asking for it alone would log an error when not. */
static int is_there(struct be_xen *xen, uint32_t domain_id, struct err *err)
{
    CLEANUP_FREE struct xen_domain *list = NULL;
    size_t count;

    if (be_xen_domains(xen, &list, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (list[i].domid == domain_id)
            return 1;
    return 0;
}

/* A destroyed domain lingers until the last of its pages is given back: back ends may hold some. */
static int wait_until_gone(struct be_xen *xen, uint32_t domain_id, const char *slice,
                           struct err *err)
{
    uint64_t until = monotonic_ms() + GONE_WAIT_MS;

    for (long wait_ms = GONE_FIRST_MS;;) {
        int there = is_there(xen, domain_id, err);

        if (there <= 0)
            return there;
        if (monotonic_ms() >= until)
            return err_set(err, ERR_HYPERVISOR_ERROR,
                           "the domain %u of slice %s is destroyed but does not go away: a device "
                           "still holds its memory",
                           domain_id, slice);
        nanosleep(&(struct timespec){.tv_nsec = wait_ms * 1000000L}, NULL);
        if (wait_ms < GONE_INTERVAL_MS)
            wait_ms *= 2;
    }
}

int be_xen_destroy(struct be_xen *xen, uint32_t domain_id, const char *slice, struct err *err)
{
    sigset_t saved;

    be_xen_forget(xen);
    be_xen_children_begin(&saved);
    int code = libxl_domain_destroy(xen->context, domain_id, NULL);
    be_xen_children_end(&saved);
    if (code && code != ERROR_DOMAIN_NOTFOUND)
        return be_xen_fail(xen, err, code, "destroy the domain of", slice);
    return wait_until_gone(xen, domain_id, slice, err);
}

int be_xen_destroy_slice(void *state, const char *slice, struct err *err)
{
    struct be_xen *xen = state;
    struct xen_domain info;
    int found = be_xen_find(xen, slice, false, &info, err);

    if (found < 0)
        return -1;
    if (found)
        return be_xen_destroy(xen, info.domid, slice, err);
    /* Another call, or a worker that was killed, may have begun: its end is awaited all the
     * same. */
    found = be_xen_find(xen, slice, true, &info, err);
    return found <= 0 ? found : wait_until_gone(xen, info.domid, slice, err);
}

/* PID 1 is busybox init: it runs the shutdown actions, which stop the slices first, and reboots. */
int be_xen_reboot(void *state, struct err *err)
{
    (void)state;
    if (kill(1, SIGTERM) < 0)
        return err_errno(err, ERR_INTERNAL, errno, "cannot ask init to reboot");
    return 0;
}
