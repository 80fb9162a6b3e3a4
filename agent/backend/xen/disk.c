/* Disks that come, grow and go while their domain runs. */
#include "backend/xen/disk.h"

#include "backend/backend.h"
#include "backend/xen/build.h"
#include "backend/xen/children.h"
#include "backend/xen/list.h"
#include "backend/xen/log.h"
#include "backend/xen/xen.h"
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define SECTOR_BYTES 512
/* Of a node in xenstore, whose parts are numbers. */
#define PATH_BYTES 256

/* States of xenbus, xen/interface/io/xenbus.h. */
#define CONNECTED '4'

/* A disk of a running domain as xenstore has it. */
struct place {
    uint32_t domain_id;
    char front[PATH_BYTES];
    char back[PATH_BYTES];
};

static char *read_entry(struct be_xen *xen, xs_transaction_t transaction, const char *folder,
                        const char *entry)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", folder, entry);
    unsigned length;

    return xs_read(xen->store, transaction, path, &length);
}

static bool write_entry(struct be_xen *xen, xs_transaction_t transaction, const char *folder,
                        const char *entry, const char *value)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", folder, entry);

    return xs_write(xen->store, transaction, path, value, (unsigned)strlen(value));
}

/* 1 when the domain has that device, 0 when not. */
static int find_place(struct be_xen *xen, uint32_t domain_id, const char *device,
                      struct place *place, struct err *err)
{
    libxl_device_disk disk;
    libxl_diskinfo info;

    be_xen_fill_disk(&disk, "", device, true);
    libxl_diskinfo_init(&info);
    place->domain_id = domain_id;
    int code = libxl_device_disk_getinfo(xen->context, domain_id, &disk, &info);
    bool fits = code == 0 && info.frontend &&
                copy_text(place->front, sizeof(place->front), info.frontend) &&
                copy_text(place->back, sizeof(place->back), info.backend);
    libxl_diskinfo_dispose(&info);
    libxl_device_disk_dispose(&disk);
    if (code == 0 && !fits)
        return err_set(err, ERR_HYPERVISOR_ERROR, "xenstore has no proper paths of %s", device);
    return code == 0;
}

/* Takes back a request to release the disk that the guest has not begun to follow: 1, or 0 when it
 * has. The kernel's back end does not look at what is written here, only the guest does. */
static int take_back(struct be_xen *xen, const struct place *place, struct err *err)
{
    for (;;) {
        xs_transaction_t transaction = xs_transaction_start(xen->store);
        CLEANUP_FREE char *front = read_entry(xen, transaction, place->front, "state");
        bool kept = front && front[0] == CONNECTED;

        if (kept && (!write_entry(xen, transaction, place->back, "state", "4") ||
                     !write_entry(xen, transaction, place->back, "online", "1"))) {
            xs_transaction_end(xen->store, transaction, true);
            return err_errno(err, ERR_HYPERVISOR_ERROR, errno, "cannot write %s", place->back);
        }
        if (xs_transaction_end(xen->store, transaction, !kept))
            return kept;
        if (errno != EAGAIN)
            return err_errno(err, ERR_HYPERVISOR_ERROR, errno, "cannot write %s", place->back);
    }
}

/* Calls libxl to remove the disk: by asking the guest, or without. */
static int remove_disk(struct be_xen *xen, uint32_t domain_id, const char *device, bool force)
{
    libxl_device_disk disk;
    sigset_t saved;

    be_xen_forget(xen);
    be_xen_fill_disk(&disk, "", device, true);
    be_xen_children_begin(&saved);
    int code = force ? libxl_device_disk_destroy(xen->context, domain_id, &disk, NULL)
                     : libxl_device_disk_safe_remove(xen->context, domain_id, &disk, NULL);
    be_xen_children_end(&saved);
    libxl_device_disk_dispose(&disk);
    return code;
}

/* --- Plugging --------------------------------------------------------------------------------- */

/* 1 when the disk is there whole: what another worker has left half made or half removed is not. */
static int is_plugged(struct be_xen *xen, const struct place *place, const char *path,
                      struct err *err)
{
    CLEANUP_FREE char *params = read_entry(xen, XBT_NULL, place->back, "params");
    CLEANUP_FREE char *hotplug = read_entry(xen, XBT_NULL, place->back, "hotplug-status");
    CLEANUP_FREE char *online = read_entry(xen, XBT_NULL, place->back, "online");
    CLEANUP_FREE char *state = read_entry(xen, XBT_NULL, place->back, "state");

    if (!params || !hotplug || !state || strcmp(params, path) != 0 ||
        strcmp(hotplug, "connected") != 0)
        return 0;
    if (online && online[0] == '1')
        return state[0] <= CONNECTED;
    return take_back(xen, place, err);
}

static int add_disk(struct be_xen *xen, uint32_t domain_id, const struct domain_disk *given,
                    const char *slice, struct err *err)
{
    libxl_device_disk disk;
    sigset_t saved;

    be_xen_forget(xen);
    be_xen_fill_disk(&disk, given->path, given->device, true);
    be_xen_children_begin(&saved);
    int code = libxl_device_disk_add(xen->context, domain_id, &disk, NULL);
    be_xen_children_end(&saved);
    libxl_device_disk_dispose(&disk);
    return code ? be_xen_fail(xen, err, code, "plug a disk into", slice) : 0;
}

int be_xen_disk_plug(void *state, const char *slice, const struct domain_disk *disk,
                     struct err *err)
{
    struct be_xen *xen = state;
    struct place place;
    struct xen_domain info;
    int found = be_xen_find(xen, slice, false, &info, err);

    if (found <= 0 || info.shutdown)
        return found < 0 ? -1 : 0;
    found = find_place(xen, info.domid, disk->device, &place, err);
    if (found < 0)
        return -1;
    if (found) {
        int plugged = is_plugged(xen, &place, disk->path, err);

        if (plugged != 0)
            return plugged < 0 ? -1 : 0;
        log_info("removing the remains of %s of slice %s", disk->device, slice);
        int code = remove_disk(xen, info.domid, disk->device, true);
        if (code)
            return be_xen_fail(xen, err, code, "remove the remains of a disk of", slice);
    }
    return add_disk(xen, info.domid, disk, slice, err);
}

/* --- Unplugging ------------------------------------------------------------------------------- */

static int refused(struct be_xen *xen, const struct place *place, const char *slice,
                   const char *device, struct err *err)
{
    int kept = take_back(xen, place, err);

    if (kept < 0)
        return -1;
    /* Linux before 5.14 says that it will release a disk in use, and does when it is closed. */
    return err_set(err, ERR_VOLUME_BUSY,
                   kept ? "slice %s does not release %s: it is paused, busy or does not answer"
                        : "slice %s still uses %s and releases it when it is unmounted",
                   slice, device);
}

int be_xen_disk_unplug(void *state, const char *slice, const char *device, bool force,
                       struct err *err)
{
    struct be_xen *xen = state;
    struct place place;
    struct xen_domain info;
    int found = be_xen_find(xen, slice, false, &info, err);

    if (found > 0)
        found = find_place(xen, info.domid, device, &place, err);
    if (found <= 0)
        return found;
    int code = remove_disk(xen, info.domid, device, force || info.shutdown);
    if (code == ERROR_TIMEDOUT && !force)
        return refused(xen, &place, slice, device, err);
    return code ? be_xen_fail(xen, err, code, "unplug a disk of", slice) : 0;
}

/* --- Growing ---------------------------------------------------------------------------------- */

/* The back end notices a larger device only at the next request for it. Writing the state that
 * it has makes the guest look at the size again. */
int be_xen_disk_grow(void *state, const char *slice, const char *device, uint64_t bytes,
                     struct err *err)
{
    struct be_xen *xen = state;
    struct place place;
    struct xen_domain info;
    char sectors[32];
    int found = be_xen_find(xen, slice, false, &info, err);

    if (found > 0)
        found = find_place(xen, info.domid, device, &place, err);
    if (found <= 0)
        return found;
    snprintf(sectors, sizeof(sectors), "%" PRIu64, bytes / SECTOR_BYTES);
    for (;;) {
        xs_transaction_t transaction = xs_transaction_start(xen->store);
        CLEANUP_FREE char *before = read_entry(xen, transaction, place.back, "state");
        /* One that is not connected yet reads the size when it connects. */
        bool tell = before && before[0] == CONNECTED;
        bool told = tell && write_entry(xen, transaction, place.back, "sectors", sectors) &&
                    write_entry(xen, transaction, place.back, "state", before);

        if (tell && !told) {
            xs_transaction_end(xen->store, transaction, true);
            return err_errno(err, ERR_HYPERVISOR_ERROR, errno, "cannot write %s", place.back);
        }
        if (xs_transaction_end(xen->store, transaction, !tell))
            return 0;
        if (errno != EAGAIN)
            return err_errno(err, ERR_HYPERVISOR_ERROR, errno, "cannot write %s", place.back);
    }
}
