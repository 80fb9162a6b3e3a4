/* Learning that a domain has died or shut down, from xenstore's special watches. */
#include "backend/xen/watch.h"

#include "backend/xen/xen.h"
#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

/* The library starts a thread for the first watch. It is made on demand only, because a worker has
 * no use for it. */
int be_xen_watch_fd(void *state)
{
    struct be_xen *xen = state;

    if (!xen->watch) {
        struct xs_handle *watch = xs_open(0);

        if (!watch || !xs_watch(watch, "@releaseDomain", "domain") ||
            !xs_watch(watch, "@introduceDomain", "domain")) {
            log_error("cannot watch domains in xenstore (errno %d)", errno);
            if (watch)
                xs_close(watch);
            return -1;
        }
        xen->watch = watch;
    }
    return xs_fileno(xen->watch);
}

int be_xen_watch_read(void *state, struct err *err)
{
    struct be_xen *xen = state;
    char **event;

    if (!xen->watch)
        return err_set(err, ERR_INTERNAL, "domains are not watched");
    while ((event = xs_check_watch(xen->watch)))
        free(event);
    if (errno != EAGAIN)
        return err_errno(err, ERR_HYPERVISOR_ERROR, errno, "cannot read a watch from xenstore");
    return 0;
}
