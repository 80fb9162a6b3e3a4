/* A view of the pool's metadata at one moment: the kernel keeps a copy of its root, of which a pool
 * has one at a time. */
#include "backend/thin/metadata.h"

#include "backend/backend.h"
#include "backend/thin/device_mapper.h"
#include "backend/thin/pool.h"
#include "base/err.h"
#include "base/file.h"
#include "base/memory.h"
#include "codec/thin_metadata.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A page, as sysfs has it. */
#define UEVENT_LIMIT 4096

/* The node of the device that the pool keeps its metadata on; its table begins with it. */
static int metadata_path(const struct mapper_device *pool, char *path, size_t size, struct err *err)
{
    unsigned major, minor;
    CLEANUP_FREE char *text = NULL;
    size_t length;

    if (sscanf(pool->params, "%u:%u ", &major, &minor) != 2)
        return err_set(err, ERR_STORAGE_ERROR, "the pool's table is not understood: %s",
                       pool->params);
    CLEANUP_FREE char *uevent = xasprintf("/sys/dev/block/%u:%u/uevent", major, minor);
    if (read_file(uevent, UEVENT_LIMIT, &text, &length, err) < 0)
        return -1;
    const char *name = strstr(text, "DEVNAME=");
    if (!name)
        return err_set(err, ERR_STORAGE_ERROR, "%s names no device", uevent);
    name += strlen("DEVNAME=");
    snprintf(path, size, "/dev/%.*s", (int)strcspn(name, "\n"), name);
    return 0;
}

/* Where the copy of the root is; 0 when there is none. */
static int held_root(const struct be_thin *thin, uint64_t *root, struct err *err)
{
    char name[VOLUME_PATH_BYTES], held[32];
    struct mapper_device pool;

    if (be_thin_find_pool(thin, name, &pool, err) < 0 || mapper_status(name, &pool, err) < 0)
        return -1;
    /* Transaction, metadata in use/all, data in use/all, held root. */
    if (sscanf(pool.params, "%*u %*u/%*u %*u/%*u %31s", held) != 1)
        return err_set(err, ERR_STORAGE_ERROR, "the pool's status is not understood: %s",
                       pool.params);
    *root = 0;
    if (strcmp(held, "-") != 0 && sscanf(held, "%" SCNu64, root) != 1)
        return err_set(err, ERR_STORAGE_ERROR, "the pool's status is not understood: %s",
                       pool.params);
    return 0;
}

static int tell_pool_once(const struct be_thin *thin, const char *message, struct err *err)
{
    char name[VOLUME_PATH_BYTES];
    struct mapper_device pool;

    if (be_thin_find_pool(thin, name, &pool, err) < 0)
        return -1;
    return mapper_message(name, message, err);
}

/* Waits for other workers that have the view; they have it for as long as the trees are read. */
static int take_lock(const struct be_thin *thin, char *path, size_t size, int *lock,
                     struct err *err)
{
    char name[VOLUME_PATH_BYTES];
    struct mapper_device pool;

    if (be_thin_find_pool(thin, name, &pool, err) < 0 || metadata_path(&pool, path, size, err) < 0)
        return -1;
    *lock = open_locked(path, err);
    return *lock < 0 ? -1 : 0;
}

static int release(const struct be_thin *thin, struct err *err)
{
    uint64_t root;

    if (held_root(thin, &root, err) < 0)
        return -1;
    return root != 0 ? tell_pool_once(thin, "release_metadata_snap", err) : 0;
}

int be_thin_metadata_close(void *state, struct pool_metadata *metadata, struct err *err)
{
    char path[VOLUME_PATH_BYTES];
    int result = 0;

    cleanup_close(&metadata->fd);
    metadata->fd = -1;
    if (metadata->lock < 0)
        result = take_lock(state, path, sizeof(path), &metadata->lock, err);
    if (result == 0)
        result = release(state, err);
    cleanup_close(&metadata->lock);
    metadata->lock = -1;
    return result;
}

int be_thin_metadata_open(void *state, struct pool_metadata *metadata, struct err *err)
{
    char path[VOLUME_PATH_BYTES];

    *metadata = (struct pool_metadata){.fd = -1, .lock = -1};
    /* One that is held now was left by a worker that died. */
    if (take_lock(state, path, sizeof(path), &metadata->lock, err) < 0 || release(state, err) < 0 ||
        tell_pool_once(state, "reserve_metadata_snap", err) < 0 ||
        held_root(state, &metadata->superblock, err) < 0)
        goto failed;
    if (metadata->superblock == 0) {
        err_set(err, ERR_STORAGE_ERROR, "the kernel does not hold a copy of the pool's metadata");
        goto failed;
    }
    /* The kernel writes past the page cache, which would show what was there before. */
    metadata->fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (metadata->fd >= 0)
        return 0;
    err_errno(err, ERR_STORAGE_ERROR, errno, "cannot open %s", path);
failed:
    be_thin_metadata_close(state, metadata, NULL);
    return -1;
}

/* --- The pool's volumes ----------------------------------------------------------------------- */

static int read_block(void *argument, uint64_t block, unsigned char data[static THIN_BLOCK_BYTES],
                      struct err *err)
{
    const struct pool_metadata *metadata = argument;
    unsigned char aligned[THIN_BLOCK_BYTES] __attribute__((aligned(THIN_BLOCK_BYTES)));
    ssize_t got = pread(metadata->fd, aligned, sizeof(aligned), (off_t)(block * THIN_BLOCK_BYTES));

    if (got != THIN_BLOCK_BYTES)
        return err_errno(err, ERR_STORAGE_ERROR, got < 0 ? errno : EIO,
                         "cannot read block %" PRIu64 " of the pool's metadata", block);
    memcpy(data, aligned, sizeof(aligned));
    return 0;
}

int be_thin_list(void *state, uint32_t **thin_ids, size_t *count, struct err *err)
{
    struct pool_metadata view;
    struct thin_metadata metadata = {.read = read_block, .argument = &view};
    int result;

    if (be_thin_metadata_open(state, &view, err) < 0)
        return -1;
    off_t bytes = lseek(view.fd, 0, SEEK_END);
    metadata.block_count = bytes > 0 ? (uint64_t)bytes / THIN_BLOCK_BYTES : 0;
    result = thin_metadata_open(&metadata, view.superblock, err);
    if (result == 0)
        result = thin_metadata_volumes(&metadata, thin_ids, count, err);
    if (be_thin_metadata_close(state, &view, result < 0 ? NULL : err) < 0 && result == 0) {
        free(*thin_ids);
        result = -1;
    }
    return result;
}
