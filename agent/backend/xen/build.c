/* Building a domain: libxl's configuration from ours, memory, and what a crash left half built. */
#include "backend/xen/build.h"

#include "backend/backend.h"
#include "backend/net/bridge.h"
#include "backend/xen/children.h"
#include "backend/xen/host.h"
#include "backend/xen/list.h"
#include "backend/xen/log.h"
#include "backend/xen/stop.h"
#include "backend/xen/xen.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/nic.h"
#include "model/size.h"
#include "model/slice.h"
#include "model/volume.h"

#include <errno.h>
#include <inttypes.h>
#include <libxl_utils.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#define MEMORY_WAIT_MS 10000
#define MEMORY_INTERVAL_MS 100
#define NO_DOMAIN ((uint32_t)~0)
/* A slice's own, its seed, its volumes: as many as can be asked for. */
#define DISKS_MAX (2 + SLICE_VOLUMES_MAX)
#define STREAM_VERSION 2 /* of libxl's saved memory, the only one that Xen 4.20 writes */

/* Written for a domain when all of it is there, before it runs for the first time. A domain without
 * it was left by a worker that died. Goes away with the domain's own folder. */
static void built_path(char *path, size_t size, uint32_t domain_id)
{
    snprintf(path, size, "/libxl/%u/slicenode-built", domain_id);
}

static bool is_built(struct be_xen *xen, uint32_t domain_id)
{
    char path[64];
    unsigned length;

    built_path(path, sizeof(path), domain_id);
    CLEANUP_FREE char *mark = xs_read(xen->store, XBT_NULL, path, &length);
    return mark;
}

static int mark_built(struct be_xen *xen, uint32_t domain_id, struct err *err)
{
    char path[64];

    built_path(path, sizeof(path), domain_id);
    if (!xs_write(xen->store, XBT_NULL, path, "1", 1))
        return err_errno(err, ERR_HYPERVISOR_ERROR, errno, "cannot write %s", path);
    return 0;
}

/* --- libxl's configuration -------------------------------------------------------------------- */

/* libxl frees what its structs hold with free(3). */
static char *copy_or_null(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

static int fill_general(struct be_xen *xen, const struct domain_config *config,
                        libxl_domain_config *domain, struct err *err)
{
    const struct slice *slice = config->slice;
    libxl_domain_create_info *create = &domain->c_info;
    libxl_domain_build_info *build = &domain->b_info;

    create->type = slice->type == SLICE_PVH ? LIBXL_DOMAIN_TYPE_PVH : LIBXL_DOMAIN_TYPE_PV;
    create->name = xstrdup(slice->id);
    if (libxl_uuid_from_string(&create->uuid, slice->id))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s is not a UUID", slice->id);
    libxl_domain_build_info_init_type(build, create->type);
    const struct domain_size size = slice_size(slice);
    build->max_vcpus = (int)size.max_vcpus;
    if (libxl_bitmap_alloc(xen->context, &build->avail_vcpus, build->max_vcpus))
        return err_set(err, ERR_INTERNAL, "cannot describe %u vCPUs", size.max_vcpus);
    for (unsigned i = 0; i < size.vcpus; i++)
        libxl_bitmap_set(&build->avail_vcpus, (int)i);
    build->max_memkb = size.max_memory_mib * 1024;
    build->target_memkb = size.memory_mib * 1024;
    /* All memory is promised before the first page is taken: two domains built at once cannot both
     * get half of theirs. */
    libxl_defbool_set(&build->claim_mode, true);
    /* A host whose TSC is not invariant would trap every read of it, nine of ten exits of a busy
     * slice. Slices do not migrate, and Xen's clock, by which their kernels keep time, allows
     * for such a TSC. */
    build->tsc_mode = LIBXL_TSC_MODE_NATIVE;
    build->kernel = xstrdup(config->kernel_path);
    build->ramdisk = copy_or_null(config->ramdisk_path);
    build->cmdline = copy_or_null(config->command_line);
    return 0;
}

void be_xen_fill_disk(libxl_device_disk *disk, const char *path, const char *device, bool writable)
{
    libxl_device_disk_init(disk);
    disk->pdev_path = xstrdup(path);
    disk->vdev = xstrdup(device);
    disk->backend = LIBXL_DISK_BACKEND_PHY;
    disk->format = LIBXL_DISK_FORMAT_RAW;
    disk->readwrite = writable;
}

static void fill_disks(const struct domain_config *config, libxl_domain_config *domain)
{
    domain->disks = xcalloc(DISKS_MAX, sizeof(*domain->disks));
    be_xen_fill_disk(&domain->disks[domain->num_disks++], config->disk_path, "xvda", true);
    if (config->seed_path)
        be_xen_fill_disk(&domain->disks[domain->num_disks++], config->seed_path, "xvdb", false);
    for (size_t i = 0; i < config->disk_count; i++)
        be_xen_fill_disk(&domain->disks[domain->num_disks++], config->disks[i].path,
                         config->disks[i].device, true);
}

static int fill_nics(const struct slice *slice, libxl_domain_config *domain, struct err *err)
{
    domain->nics = xcalloc(SLICE_NICS_MAX, sizeof(*domain->nics));
    for (unsigned i = 0; i < slice->nic_count; i++) {
        const struct nic *from = &slice->nics[i];
        libxl_device_nic *nic = &domain->nics[i];
        unsigned char *mac = nic->mac;
        char bridge[NIC_NAME_BYTES];

        libxl_device_nic_init(nic);
        domain->num_nics++;
        nic->devid = (int)i;
        nic->nictype = LIBXL_NIC_TYPE_VIF;
        nic->script = xstrdup("vif-bridge");
        if (be_net_bridge_name(from, bridge, err) < 0)
            return -1;
        nic->bridge = xstrdup(bridge);
        if (sscanf(from->mac, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &mac[0], &mac[1], &mac[2],
                   &mac[3], &mac[4], &mac[5]) != 6)
            return err_set(err, ERR_INVALID_ARGUMENT, "%s is not a MAC address", from->mac);
    }
    return 0;
}

static int fill(struct be_xen *xen, const struct domain_config *config, libxl_domain_config *domain,
                struct err *err)
{
    if (fill_general(xen, config, domain, err) < 0)
        return -1;
    fill_disks(config, domain);
    return fill_nics(config->slice, domain, err);
}

/* --- Memory ----------------------------------------------------------------------------------- */

/* Whether some domain is on its way out and will give its memory back. */
static bool is_any_dying(struct be_xen *xen)
{
    CLEANUP_FREE struct xen_domain *list = NULL;
    size_t count;

    if (be_xen_domains(xen, &list, &count, NULL) < 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (list[i].dying)
            return true;
    return false;
}

/* Waits until the memory that the domain needs is free, as long as there is hope: a large domain's
 * comes back in pieces when it is destroyed. */
static int wait_for_memory(struct be_xen *xen, libxl_domain_config *domain, struct err *err)
{
    uint64_t until = monotonic_ms() + MEMORY_WAIT_MS, need_kib, free_kib;
    libxl_domain_config trial;

    /* The calculation fills in defaults that must not stay in the real one. */
    be_xen_forget(xen);
    libxl_domain_config_init(&trial);
    libxl_domain_config_copy(xen->context, &trial, domain);
    int code = libxl_domain_need_memory(xen->context, &trial, NO_DOMAIN, &need_kib);
    libxl_domain_config_dispose(&trial);
    if (code)
        return be_xen_fail(xen, err, code, "calculate the memory of", domain->c_info.name);
    for (;;) {
        bool hope = is_any_dying(xen); /* asked first: it may end between the two questions */

        if (be_xen_free_kib(xen, &free_kib, err) < 0)
            return -1;
        if (free_kib >= need_kib)
            return 0;
        if (monotonic_ms() >= until || !hope)
            return err_set(err, ERR_INSUFFICIENT_MEMORY,
                           "slice %s needs %" PRIu64 " MiB with its overhead and %" PRIu64
                           " MiB are free",
                           domain->c_info.name, (need_kib + 1023) / 1024, free_kib / 1024);
        nanosleep(&(struct timespec){.tv_nsec = MEMORY_INTERVAL_MS * 1000000L}, NULL);
    }
}

/* --- Starting --------------------------------------------------------------------------------- */

int be_xen_launch(struct be_xen *xen, uint32_t domain_id, const char *slice, struct err *err)
{
    if (mark_built(xen, domain_id, err) < 0)
        return -1;
    be_xen_forget(xen);
    int code = libxl_domain_unpause(xen->context, domain_id, NULL);
    return code ? be_xen_fail(xen, err, code, "let run", slice) : 0;
}

/* 1 when the slice runs already; otherwise its remains are removed. */
static int settle_existing(struct be_xen *xen, const char *slice, int *domain_id, struct err *err)
{
    struct xen_domain info;
    int found = be_xen_find(xen, slice, true, &info, err);

    if (found <= 0)
        return found;
    if (!info.dying && !info.shutdown && is_built(xen, info.domid)) {
        *domain_id = (int)info.domid;
        /* The mark is set before the first instruction: a worker may have died in between. */
        if (info.paused && info.cpu_time == 0 && be_xen_launch(xen, info.domid, slice, err) < 0)
            return -1;
        return 1;
    }
    log_info("removing the remains of domain %u of slice %s", info.domid, slice);
    return be_xen_destroy(xen, info.domid, slice, err);
}

static int restore(struct be_xen *xen, libxl_domain_config *domain, int fd, uint32_t *domain_id)
{
    libxl_domain_restore_params params;

    libxl_domain_restore_params_init(&params);
    params.stream_version = STREAM_VERSION;
    int code =
        libxl_domain_create_restore(xen->context, domain, domain_id, fd, -1, &params, NULL, NULL);
    libxl_domain_restore_params_dispose(&params);
    return code;
}

static int create(struct be_xen *xen, libxl_domain_config *domain, int restore_fd,
                  uint32_t *domain_id, struct err *err)
{
    const char *slice = domain->c_info.name;
    struct xen_domain info;
    sigset_t saved;

    be_xen_forget(xen);
    be_xen_children_begin(&saved);
    int code = restore_fd >= 0
                   ? restore(xen, domain, restore_fd, domain_id)
                   : libxl_domain_create_new(xen->context, domain, domain_id, NULL, NULL);
    be_xen_children_end(&saved);
    if (!code)
        return 0;
    be_xen_fail(xen, err, code, restore_fd >= 0 ? "restore" : "build", slice);
    /* libxl cleans up after most of its failures; whatever it left goes here. */
    if (be_xen_find(xen, slice, true, &info, NULL) > 0)
        be_xen_destroy(xen, info.domid, slice, NULL);
    return -1;
}

int be_xen_build(struct be_xen *xen, const struct domain_config *config, int restore_fd,
                 uint32_t *domain_id, struct err *err)
{
    libxl_domain_config domain;

    *domain_id = NO_DOMAIN;
    libxl_domain_config_init(&domain);
    int result = fill(xen, config, &domain, err);
    if (result == 0)
        result = wait_for_memory(xen, &domain, err);
    if (result == 0)
        result = create(xen, &domain, restore_fd, domain_id, err);
    libxl_domain_config_dispose(&domain);
    return result;
}

int be_xen_start(void *state, const struct domain_config *config, int *domain_id, struct err *err)
{
    struct be_xen *xen = state;
    const char *slice = config->slice->id;
    uint32_t id;
    int settled = settle_existing(xen, slice, domain_id, err);

    if (settled != 0)
        return settled < 0 ? -1 : 0;
    if (be_xen_build(xen, config, -1, &id, err) < 0)
        return -1;
    if (be_xen_launch(xen, id, slice, err) < 0) {
        be_xen_destroy(xen, id, slice, NULL);
        return -1;
    }
    *domain_id = (int)id;
    return 0;
}
