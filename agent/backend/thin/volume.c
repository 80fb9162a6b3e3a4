#include "backend/thin/volume.h"

#include "backend/backend.h"
#include "backend/thin/device_mapper.h"
#include "backend/thin/metadata.h"
#include "backend/thin/pool.h"
#include "backend/thin/status.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THIN_ID_MAX ((1u << 24) - 1) /* the kernel's limit */
#define BUSY_WAIT_MS 5000
#define BUSY_INTERVAL_MS 50

static int check_id(uint32_t thin_id, struct err *err)
{
    if (thin_id == 0 || thin_id > THIN_ID_MAX)
        return err_set(err, ERR_STORAGE_ERROR, "%" PRIu32 " is not a volume number (1 to %u)",
                       thin_id, THIN_ID_MAX);
    return 0;
}

/* Sends a message to the pool; 1 when the errno `harmless` says that it was done before (0: none
 * does). */
static int send_pool(const char *pool_name, int harmless, struct err *err, const char *message)
{
    struct err failure = {.code = ERR_NONE};

    if (mapper_message(pool_name, message, &failure) == 0)
        return 0;
    if (harmless && errno == harmless)
        return 1;
    return err_set(err, errno == EEXIST ? ERR_VOLUME_EXISTS : failure.code, "%s", failure.message);
}

static int tell_pool(const struct be_thin *thin, int harmless, struct err *err, const char *message)
{
    char pool_name[VOLUME_PATH_BYTES];
    struct mapper_device pool;

    if (be_thin_find_pool(thin, pool_name, &pool, err) < 0)
        return -1;
    return send_pool(pool_name, harmless, err, message) < 0 ? -1 : 0;
}

/* The parts of a pool that is kept on two disks are mirrors, named by LVM. */
static bool is_degraded(const char *pool_name)
{
    static const char *const parts[] = {"_tdata", "_tmeta"};
    bool degraded = false;

    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        CLEANUP_FREE char *name = xasprintf("%s%s", pool_name, parts[i]);
        struct mapper_device device;
        if (mapper_status(name, &device, NULL) == 0 && device.exists &&
            strcmp(device.target, "raid") == 0)
            degraded = degraded || be_thin_mirror_degraded(device.params);
    }
    return degraded;
}

static int thin_usage(void *state, struct pool_usage *usage, struct err *err)
{
    const struct be_thin *thin = state;
    char pool_name[VOLUME_PATH_BYTES];
    struct mapper_device pool;
    uint64_t sectors_per_block;

    if (be_thin_find_pool(thin, pool_name, &pool, err) < 0)
        return -1;
    /* Table: metadata device, data device, block size, low water mark, features. */
    if (sscanf(pool.params, "%*s %*s %" SCNu64, &sectors_per_block) != 1)
        return err_set(err, ERR_STORAGE_ERROR, "the pool's table is not understood: %s",
                       pool.params);
    if (mapper_status(pool_name, &pool, err) < 0)
        return -1;
    if (be_thin_parse_status(pool.params, sectors_per_block, usage, err) < 0)
        return -1;
    usage->mirror_degraded = is_degraded(pool_name);
    return 0;
}

static int thin_create(void *state, uint32_t thin_id, struct err *err)
{
    char message[64];

    if (check_id(thin_id, err) < 0)
        return -1;
    snprintf(message, sizeof(message), "create_thin %" PRIu32, thin_id);
    return tell_pool(state, 0, err, message);
}

static int thin_remove(void *state, uint32_t thin_id, struct err *err)
{
    char message[64];

    if (check_id(thin_id, err) < 0)
        return -1;
    snprintf(message, sizeof(message), "delete %" PRIu32, thin_id);
    return tell_pool(state, ENODATA, err, message);
}

static int thin_mapped(void *state, const char *name, uint64_t *bytes, struct err *err)
{
    struct mapper_device device;
    uint64_t sectors;

    (void)state;
    if (mapper_status(name, &device, err) < 0)
        return -1;
    if (!device.exists || strcmp(device.target, "thin") != 0)
        return err_set(err, ERR_STORAGE_ERROR, "%s is not an active volume", name);
    if (sscanf(device.params, "%" SCNu64, &sectors) != 1)
        return err_set(err, ERR_STORAGE_ERROR, "the volume %s cannot be read: %s", name,
                       device.params);
    *bytes = sectors * SECTOR_BYTES;
    return 0;
}

/* The snapshot of an active origin, which stands still meanwhile: what the one maps, the other
 * does. */
static int snapshot_active(const char *pool_name, const char *message, const char *origin_name,
                           uint64_t *mapped, struct err *err)
{
    uint64_t started = monotonic_ms(), bytes = 0;

    if (mapper_suspend(origin_name, err) < 0)
        return -1;
    int result = send_pool(pool_name, 0, err, message);
    if (result == 0 && thin_mapped(NULL, origin_name, &bytes, NULL) < 0)
        bytes = 0;
    /* The slice's disk must come to life again whatever happened to the snapshot. */
    if (mapper_resume(origin_name, result < 0 ? NULL : err) < 0) {
        log_error("the disk %s cannot be resumed after a snapshot", origin_name);
        result = -1;
    }
    log_debug("%s stood still for %" PRIu64 " ms", origin_name, monotonic_ms() - started);
    if (mapped)
        *mapped = bytes;
    return result < 0 ? -1 : 0;
}

static int thin_snapshot(void *state, uint32_t origin_id, const char *origin_name, uint32_t thin_id,
                         uint64_t *mapped, struct err *err)
{
    char message[64], pool_name[VOLUME_PATH_BYTES];
    struct mapper_device origin = {.exists = false}, pool;

    if (check_id(origin_id, err) < 0 || check_id(thin_id, err) < 0)
        return -1;
    snprintf(message, sizeof(message), "create_snap %" PRIu32 " %" PRIu32, thin_id, origin_id);
    if (origin_name && mapper_inspect(origin_name, &origin, err) < 0)
        return -1;
    /* Looked up now: nothing that can wait is done while the slice's disk stands still. */
    if (be_thin_find_pool(state, pool_name, &pool, err) < 0)
        return -1;
    if (origin.exists)
        return snapshot_active(pool_name, message, origin_name, mapped, err);
    if (mapped)
        *mapped = 0;
    return send_pool(pool_name, 0, err, message) < 0 ? -1 : 0;
}

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = BUSY_INTERVAL_MS * 1000000L}, NULL);
}

static int thin_deactivate(void *state, const char *name, struct err *err)
{
    uint64_t until = monotonic_ms() + BUSY_WAIT_MS;

    (void)state;
    for (;;) {
        struct mapper_device device;
        struct err failure = {.code = ERR_NONE};

        if (mapper_inspect(name, &device, err) < 0)
            return -1;
        if (!device.exists)
            return 0;
        /* A suspended device would keep its openers waiting for ever. */
        if (device.suspended && mapper_resume(name, err) < 0)
            return -1;
        if (mapper_remove(name, &failure) == 0)
            return 0;
        /* The kernel and blkback let go of a device a moment after its last user. */
        if (errno != EBUSY || monotonic_ms() >= until)
            return err_set(err, failure.code, "%s", failure.message);
        rest();
    }
}

/* Brings an active device in line with `table`; 1 when it must be made anew instead. */
static int adjust(const char *name, const struct mapper_device *device,
                  const struct mapper_table *table, struct err *err)
{
    bool turns = device->read_only != table->read_only;

    if (strcmp(device->target, table->target) != 0 || strcmp(device->params, table->params) != 0 ||
        (turns && (device->open_count > 0 || device->sectors > table->sectors)))
        return 1;
    if (turns || device->sectors < table->sectors) {
        if (mapper_reload(name, table, err) < 0 || mapper_suspend(name, err) < 0)
            return -1;
        return mapper_resume(name, err);
    }
    /* One that a snapshot left suspended, because its worker died, goes on here. */
    if (device->suspended && mapper_resume(name, err) < 0)
        return -1;
    return mapper_make_node(name, err);
}

static int thin_activate(void *state, const char *name, uint32_t thin_id, uint64_t size_bytes,
                         bool read_only, char path[static VOLUME_PATH_BYTES], struct err *err)
{
    char pool_name[VOLUME_PATH_BYTES], params[64];
    struct mapper_device pool, device;
    struct mapper_table table = {.target = "thin",
                                 .params = params,
                                 .sectors = (size_bytes + SECTOR_BYTES - 1) / SECTOR_BYTES,
                                 .read_only = read_only};

    if (check_id(thin_id, err) < 0 || be_thin_find_pool(state, pool_name, &pool, err) < 0)
        return -1;
    if (size_bytes == 0)
        return err_set(err, ERR_STORAGE_ERROR, "the volume %s has no size", name);
    snprintf(params, sizeof(params), "%u:%u %" PRIu32, pool.major, pool.minor, thin_id);
    snprintf(path, VOLUME_PATH_BYTES, "/dev/mapper/%.*s", VOLUME_NAME_BYTES, name);
    if (mapper_inspect(name, &device, err) < 0)
        return -1;
    if (device.exists) {
        int result = adjust(name, &device, &table, err);
        if (result <= 0)
            return result;
        if (device.open_count > 0)
            return err_set(err, ERR_STORAGE_ERROR, "%s is in use as another volume (%s)", name,
                           device.params);
        if (thin_deactivate(state, name, err) < 0)
            return -1;
    }
    return mapper_create(name, &table, err);
}

static void thin_close(void *state)
{
    free(state);
}

int be_thin_open(struct storage *storage, const char *pool_name, struct err *err)
{
    char name[VOLUME_PATH_BYTES];
    struct mapper_device pool;
    struct be_thin *thin = xcalloc(1, sizeof(*thin));

    mapper_prepare();
    if (!copy_text(thin->pool, sizeof(thin->pool), pool_name) ||
        be_thin_find_pool(thin, name, &pool, err) < 0) {
        free(thin);
        return -1;
    }
    *storage = (struct storage){.state = thin,
                                .usage = thin_usage,
                                .create = thin_create,
                                .snapshot = thin_snapshot,
                                .remove = thin_remove,
                                .activate = thin_activate,
                                .deactivate = thin_deactivate,
                                .mapped = thin_mapped,
                                .list = be_thin_list,
                                .metadata_open = be_thin_metadata_open,
                                .metadata_close = be_thin_metadata_close,
                                .close = thin_close};
    return 0;
}
