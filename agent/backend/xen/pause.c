/* Stopping and resuming a domain's processors. */
#include "backend/xen/pause.h"

#include "backend/xen/list.h"
#include "backend/xen/log.h"
#include "backend/xen/xen.h"
#include "base/err.h"

/* Xen counts pauses. More than these were made by somebody else, again and again. */
#define PAUSES_MAX 64

static int find_running(struct be_xen *xen, const char *slice, struct xen_domain *info,
                        struct err *err)
{
    int found = be_xen_find(xen, slice, false, info, err);

    if (found < 0)
        return -1;
    if (!found || info->shutdown)
        return err_set(err, ERR_SLICE_STATE, "slice %s has no running domain", slice);
    return 0;
}

int be_xen_pause(void *state, const char *slice, struct err *err)
{
    struct be_xen *xen = state;
    struct xen_domain info;

    if (find_running(xen, slice, &info, err) < 0)
        return -1;
    /* A second pause would need a second unpause. */
    if (info.paused)
        return 0;
    be_xen_forget(xen);
    int code = libxl_domain_pause(xen->context, info.domid, NULL);
    return code ? be_xen_fail(xen, err, code, "pause", slice) : 0;
}

int be_xen_unpause(void *state, const char *slice, struct err *err)
{
    struct be_xen *xen = state;
    struct xen_domain info;

    for (int i = 0; i < PAUSES_MAX; i++) {
        if (find_running(xen, slice, &info, err) < 0)
            return -1;
        if (!info.paused)
            return 0;
        be_xen_forget(xen);
        int code = libxl_domain_unpause(xen->context, info.domid, NULL);
        if (code)
            return be_xen_fail(xen, err, code, "unpause", slice);
    }
    return err_set(err, ERR_HYPERVISOR_ERROR,
                   "slice %s stays paused: it was paused more than %d times", slice, PAUSES_MAX);
}
