#include "backend/xen/open.h"

#include "backend/backend.h"
#include "backend/xen/build.h"
#include "backend/xen/console.h"
#include "backend/xen/counters.h"
#include "backend/xen/disk.h"
#include "backend/xen/host.h"
#include "backend/xen/list.h"
#include "backend/xen/log.h"
#include "backend/xen/pause.h"
#include "backend/xen/resize.h"
#include "backend/xen/save.h"
#include "backend/xen/stop.h"
#include "backend/xen/watch.h"
#include "backend/xen/xen.h"
#include "base/err.h"
#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>

static void xen_close(void *state)
{
    struct be_xen *xen = state;

    if (!xen)
        return;
    if (xen->watch)
        xs_close(xen->watch);
    if (xen->store)
        xs_close(xen->store);
    if (xen->control)
        xc_interface_close(xen->control);
    libxl_ctx_free(xen->context);
    free(xen->ours);
    free(xen);
}

int be_xen_open(struct hypervisor *hypervisor, struct err *err)
{
    struct be_xen *xen = xcalloc(1, sizeof(*xen));

    be_xen_log_init(&xen->log);
    int code = libxl_ctx_alloc(&xen->context, LIBXL_VERSION, 0, &xen->log.base);
    if (code) {
        be_xen_fail(xen, err, code, "reach the Xen toolstack", NULL);
        xen_close(xen);
        return -1;
    }
    xen->control = xc_interface_open(&xen->log.base, &xen->log.base, 0);
    if (!xen->control) {
        err_errno(err, ERR_HYPERVISOR_ERROR, errno, "cannot reach Xen");
        xen_close(xen);
        return -1;
    }
    xen->store = xs_open(0);
    if (!xen->store) {
        err_errno(err, ERR_HYPERVISOR_ERROR, errno, "cannot reach xenstored");
        xen_close(xen);
        return -1;
    }
    *hypervisor = (struct hypervisor){.state = xen,
                                      .host = be_xen_host,
                                      .prefer_host = be_xen_prefer_host,
                                      .reboot = be_xen_reboot,
                                      .domain_start = be_xen_start,
                                      .domain_shutdown = be_xen_shutdown,
                                      .domain_destroy = be_xen_destroy_slice,
                                      .domain_pause = be_xen_pause,
                                      .domain_unpause = be_xen_unpause,
                                      .domain_set_vcpus = be_xen_set_vcpus,
                                      .domain_set_memory = be_xen_set_memory,
                                      .domain_save = be_xen_save,
                                      .domain_resume = be_xen_resume,
                                      .domain_restore = be_xen_restore,
                                      .domain_run = be_xen_run,
                                      .domain_list = be_xen_list,
                                      .domain_find = be_xen_find_domain,
                                      .counters = be_xen_counters,
                                      .disk_plug = be_xen_disk_plug,
                                      .disk_unplug = be_xen_disk_unplug,
                                      .disk_grow = be_xen_disk_grow,
                                      .watch_fd = be_xen_watch_fd,
                                      .console_tty = be_xen_console_tty,
                                      .watch_read = be_xen_watch_read,
                                      .close = xen_close};
    return 0;
}
