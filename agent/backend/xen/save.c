/* Saving a slice's memory while it stands still, and building a domain from it again. */
#include "backend/xen/save.h"

#include "backend/backend.h"
#include "backend/xen/build.h"
#include "backend/xen/children.h"
#include "backend/xen/list.h"
#include "backend/xen/log.h"
#include "backend/xen/stop.h"
#include "backend/xen/xen.h"
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "codec/memory_stream.h"
#include "model/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COOPERATIVE 1 /* the guest's kernel learns that it goes on where it was */

static bool is_suspended(const struct xen_domain *info)
{
    return info->shutdown && info->shutdown_reason == SHUTDOWN_suspend;
}

/* A worker that died may have left its request standing: a kernel that answers it late would
 * suspend with nobody there. As libxl does it, in a transaction: the guest may be taking it up
 * now. */
static void withdraw_request(struct be_xen *xen, uint32_t domain_id)
{
    char path[64];
    unsigned length;

    snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", domain_id);
    for (;;) {
        xs_transaction_t transaction = xs_transaction_start(xen->store);

        if (transaction == XBT_NULL)
            return;
        CLEANUP_FREE char *wish = xs_read(xen->store, transaction, path, &length);
        bool stands = wish && strcmp(wish, "suspend") == 0;
        if (stands)
            xs_write(xen->store, transaction, path, "", 0);
        if (xs_transaction_end(xen->store, transaction, !stands) || errno != EAGAIN)
            return;
    }
}

static int resume(struct be_xen *xen, const struct xen_domain *info, const char *slice,
                  struct err *err)
{
    if (!is_suspended(info)) {
        withdraw_request(xen, info->domid);
        return 0;
    }
    be_xen_forget(xen);
    int code = libxl_domain_resume(xen->context, info->domid, COOPERATIVE, NULL);
    return code ? be_xen_fail(xen, err, code, "resume", slice) : 0;
}

int be_xen_resume(void *state, const char *slice, struct err *err)
{
    struct xen_domain info;
    int found = be_xen_find(state, slice, false, &info, err);

    return found <= 0 ? found : resume(state, &info, slice, err);
}

static int save(struct be_xen *xen, uint32_t domain_id, const char *slice, int fd, struct err *err)
{
    sigset_t saved;

    be_xen_forget(xen);
    be_xen_children_begin(&saved);
    int code = libxl_domain_suspend(xen->context, domain_id, fd, 0, NULL);
    be_xen_children_end(&saved);
    if (code == ERROR_GUEST_TIMEDOUT)
        return err_set(err, ERR_TIMEOUT,
                       "slice %s did not suspend when it was asked to: its kernel must take part",
                       slice);
    return code ? be_xen_fail(xen, err, code, "save the memory of", slice) : 0;
}

int be_xen_save(void *state, const char *slice, const char *path, struct memory_mark *mark,
                struct err *err)
{
    struct be_xen *xen = state;
    struct xen_domain info;
    int fd, found = be_xen_find(xen, slice, false, &info, err);

    if (found < 0)
        return -1;
    /* Suspended before by a worker that died: it must go on before it can be suspended again. */
    if (found && is_suspended(&info) &&
        (resume(xen, &info, slice, err) < 0 || be_xen_find(xen, slice, false, &info, err) < 0))
        return -1;
    if (!found || info.shutdown)
        return err_set(err, ERR_SLICE_STATE, "slice %s has no running domain", slice);
    struct memory_stream *stream = memory_stream_write(path, &fd, err);
    if (!stream)
        return -1;
    struct err failure = {.code = ERR_NONE};
    int result = save(xen, info.domid, slice, fd, &failure);
    /* When the volume could not take it, that is the reason why libxl could not give it. */
    if (memory_stream_end(stream, mark, err) < 0)
        result = -1;
    else if (result < 0)
        err_set(err, failure.code, "%s", failure.message);
    if (result < 0 && be_xen_resume(xen, slice, &failure) < 0)
        log_error("slice %s: %s", slice, failure.message);
    return result;
}

int be_xen_restore(void *state, const struct domain_config *config, const char *path,
                   const struct memory_mark *mark, struct err *err)
{
    struct be_xen *xen = state;
    const char *slice = config->slice->id;
    struct err failure = {.code = ERR_NONE};
    struct xen_domain info;
    uint32_t domain_id;
    int fd, found = be_xen_find(xen, slice, true, &info, err);

    if (found < 0 || (found && be_xen_destroy(xen, info.domid, slice, err) < 0))
        return -1;
    struct memory_stream *stream = memory_stream_read(path, mark, &fd, err);
    if (!stream)
        return -1;
    int result = be_xen_build(xen, config, fd, &domain_id, err);
    if (memory_stream_end(stream, NULL, &failure) < 0 && result == 0) {
        be_xen_destroy(xen, domain_id, slice, NULL);
        return err_set(err, failure.code, "%s", failure.message);
    }
    return result;
}

int be_xen_run(void *state, const char *slice, int *domain_id, struct err *err)
{
    struct xen_domain info;
    int found = be_xen_find(state, slice, false, &info, err);

    *domain_id = -1;
    if (found <= 0)
        return found;
    *domain_id = (int)info.domid;
    return info.paused && info.cpu_time == 0 ? be_xen_launch(state, info.domid, slice, err) : 0;
}
