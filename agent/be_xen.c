#include "be_xen.h"

#include "be_xen_internal.h"
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GONE_WAIT_MS 15000
#define GONE_FIRST_MS 2 /* from then on twice as long each time, up to: */
#define GONE_INTERVAL_MS 16
#define DOM0_WEIGHT 16384 /* as 64 slices that compute at the same time */
#define CPU_INFO_LIMIT (1u << 20)

/* --- The host ------------------------------------------------------------------------------------ */

static int read_physical(struct be_xen *xen, libxl_physinfo *physical, struct err *err)
{
    be_xen_forget(xen);
    libxl_physinfo_init(physical);
    int code = libxl_get_physinfo(xen->context, physical);
    return code ? be_xen_fail(xen, err, code, "ask Xen for the hardware", NULL) : 0;
}

/* Claimed pages are free still but promised to domains that are being built. */
static uint64_t unclaimed_kib(const libxl_physinfo *physical)
{
    uint64_t pages = physical->free_pages + physical->scrub_pages;

    return pages > physical->outstanding_pages ? (pages - physical->outstanding_pages) * PAGE_KIB
                                               : 0;
}

int be_xen_free_kib(struct be_xen *xen, uint64_t *free_kib, struct err *err)
{
    libxl_physinfo physical;

    if (read_physical(xen, &physical, err) < 0)
        return -1;
    *free_kib = unclaimed_kib(&physical);
    libxl_physinfo_dispose(&physical);
    return 0;
}

static void read_cpu_model(char *model, size_t size)
{
    CLEANUP_FREE char *text = NULL;
    size_t length;

    copy_text(model, size, "unknown");
    if (read_file("/proc/cpuinfo", CPU_INFO_LIMIT, &text, &length, NULL) < 0)
        return;
    char *line = strstr(text, "model name");
    char *value = line ? strchr(line, ':') : NULL;
    if (!value)
        return;
    value += 1 + strspn(value + 1, " \t");
    value[strcspn(value, "\n")] = '\0';
    snprintf(model, size, "%s", value);
}

static int xen_host(void *state, struct host_info *host, struct err *err)
{
    struct be_xen *xen = state;
    libxl_physinfo physical;

    memset(host, 0, sizeof(*host));
    be_xen_forget(xen);
    const libxl_version_info *version = libxl_get_version_info(xen->context);
    if (!version)
        return be_xen_fail(xen, err, ERROR_FAIL, "ask Xen for its version", NULL);
    snprintf(host->hypervisor_version, sizeof(host->hypervisor_version), "%d.%d%s",
             version->xen_version_major, version->xen_version_minor,
             version->xen_version_extra ? version->xen_version_extra : "");
    if (read_physical(xen, &physical, err) < 0)
        return -1;
    host->threads = physical.nr_cpus;
    host->memory_mib = physical.total_pages * PAGE_KIB / 1024;
    host->pvh = physical.cap_hvm && (physical.cap_hap || physical.cap_shadow);
    host->pv = physical.cap_pv;
    host->memory_free_mib = unclaimed_kib(&physical) / 1024;
    libxl_physinfo_dispose(&physical);
    if (!xen->cpu_model[0])
        read_cpu_model(xen->cpu_model, sizeof(xen->cpu_model));
    copy_text(host->cpu_model, sizeof(host->cpu_model), xen->cpu_model);
    return 0;
}

/* All disks and networks go through dom0. With the weight of one slice among many that compute, it got so
 * little of the processors that libxl gave up after its ten seconds for a device. */
static int xen_prefer_host(void *state, struct err *err)
{
    struct be_xen *xen = state;
    libxl_domain_sched_params params;

    be_xen_forget(xen);
    libxl_domain_sched_params_init(&params);
    params.sched = (libxl_scheduler)libxl_get_scheduler(xen->context);
    params.weight = DOM0_WEIGHT;
    int code = libxl_domain_sched_params_set(xen->context, 0, &params);
    libxl_domain_sched_params_dispose(&params);
    return code ? be_xen_fail(xen, err, code, "give dom0 its weight", NULL) : 0;
}

/* --- Stopping ------------------------------------------------------------------------------------ */

static int xen_shutdown(void *state, const char *slice, bool reboot, struct err *err)
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

void be_xen_children_begin(sigset_t *saved)
{
    sigset_t child;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    pthread_sigmask(SIG_UNBLOCK, &child, saved);
}

void be_xen_children_end(const sigset_t *saved)
{
    pthread_sigmask(SIG_SETMASK, saved, NULL);
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

static int xen_destroy(void *state, const char *slice, struct err *err)
{
    struct be_xen *xen = state;
    struct xen_domain info;
    int found = be_xen_find(xen, slice, false, &info, err);

    if (found < 0)
        return -1;
    if (found)
        return be_xen_destroy(xen, info.domid, slice, err);
    /* Another call, or a worker that was killed, may have begun: its end is awaited all the same. */
    found = be_xen_find(xen, slice, true, &info, err);
    return found <= 0 ? found : wait_until_gone(xen, info.domid, slice, err);
}

/* PID 1 is busybox init: it runs the shutdown actions, which stop the slices first, and reboots. */
static int xen_reboot(void *state, struct err *err)
{
    (void)state;
    if (kill(1, SIGTERM) < 0)
        return err_errno(err, ERR_INTERNAL, errno, "cannot ask init to reboot");
    return 0;
}

/* --- Opening and closing --------------------------------------------------------------------------*/

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
                                      .host = xen_host,
                                      .prefer_host = xen_prefer_host,
                                      .reboot = xen_reboot,
                                      .domain_start = be_xen_start,
                                      .domain_shutdown = xen_shutdown,
                                      .domain_destroy = xen_destroy,
                                      .domain_pause = be_xen_pause,
                                      .domain_unpause = be_xen_unpause,
                                      .domain_set_vcpus = be_xen_set_vcpus,
                                      .domain_set_memory = be_xen_set_memory,
                                      .domain_save = be_xen_save,
                                      .domain_resume = be_xen_resume,
                                      .domain_restore = be_xen_restore,
                                      .domain_run = be_xen_run,
                                      .domain_list = be_xen_list,
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
