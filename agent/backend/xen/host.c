#include "backend/xen/host.h"

#include "backend/backend.h"
#include "backend/xen/log.h"
#include "backend/xen/xen.h"
#include "base/err.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DOM0_WEIGHT 16384 /* as 64 slices that compute at the same time */
/* Of /proc/cpuinfo, of which the first processor counts: dom0 has 64 at most, of 1.5 KiB. Of a
 * longer one the model stays unknown. */
#define CPU_INFO_LIMIT (1u << 20)
#define MEMORY_INFO_LIMIT (64u << 10) /* it has 2 */

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

/* It does not change: nothing gives memory to dom0 or takes it. */
static int read_own_memory(uint64_t *kib, struct err *err)
{
    CLEANUP_FREE char *text = NULL;
    size_t length;
    if (read_file("/proc/meminfo", MEMORY_INFO_LIMIT, &text, &length, err) < 0)
        return -1;
    const char *line = strstr(text, "MemTotal:");
    if (!line || sscanf(line, "MemTotal: %" SCNu64, kib) != 1)
        return err_set(err, ERR_INTERNAL, "/proc/meminfo does not say how much memory dom0 has");
    return 0;
}

int be_xen_host(void *state, struct host_info *host, struct err *err)
{
    struct be_xen *xen = state;
    libxl_physinfo physical;

    memset(host, 0, sizeof(*host));
    if (!xen->own_memory_kib && read_own_memory(&xen->own_memory_kib, err) < 0)
        return -1;
    host->dom0_kib = xen->own_memory_kib;
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

/* All disks and networks go through dom0. With the weight of one slice among many that compute,
 * it got so little of the processors that libxl gave up after its ten seconds for a device. */
int be_xen_prefer_host(void *state, struct err *err)
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
