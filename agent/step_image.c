/* Steps that bring images and the operator's kernels to the node. */
#include "step.h"

#include "transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct import {
    struct step_context *context;
    const char *volume; /* NULL for a file */
};

static bool report(void *argument, uint64_t transferred_bytes, uint64_t total_bytes)
{
    struct import *import = argument;
    struct storage *storage = &import->context->backend->storage;
    uint64_t mapped = 0;
    int percent = 0;
    if (import->volume)
        storage->mapped(storage->state, import->volume, &mapped, NULL);
    if (total_bytes)
        percent = transferred_bytes >= total_bytes
                      ? 100
                      : (int)(100.0 * (double)transferred_bytes / (double)total_bytes);
    import->context->progress(import->context->argument, percent, mapped);
    return true;
}

static int transfer(struct step_context *context, const char *volume, int output, uint64_t limit,
                    struct transfer_result *result, struct err *err)
{
    const struct image *image = context->image;
    struct import import = {.context = context, .volume = volume};
    struct transfer job = {.libexec = context->paths.libexec,
                           .url = image->url,
                           .ca = context->ca,
                           .sha256 = image->sha256,
                           .compression = image->compression,
                           .transfer_bytes = image->transfer_bytes,
                           .limit_bytes = limit,
                           .output = output};
    return transfer_image(&job, report, &import, result, err);
}

static int import_to(const struct step *step, struct step_context *context, const char *path,
                     json_t *output, struct err *err)
{
    struct storage *storage = &context->backend->storage;
    struct transfer_result result;
    CLEANUP_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot open %s", path);
    if (transfer(context, step->name, fd, step->bytes, &result, err) < 0)
        return -1;
    uint64_t mapped;
    if (storage->mapped(storage->state, step->name, &mapped, err) < 0)
        return -1;
    json_object_set_new(output, "size_bytes", json_integer((json_int_t)result.size_bytes));
    json_object_set_new(output, "mapped_bytes", json_integer((json_int_t)mapped));
    return 0;
}

int step_image_import(const struct step *step, struct step_context *context, json_t *output,
                      struct err *err)
{
    struct storage *storage = &context->backend->storage;
    char path[VOLUME_PATH_BYTES];
    /* A part that an earlier attempt wrote would show through where the image has zeroes. */
    if (step_image_undo(step, context, err) < 0 ||
        storage->create(storage->state, step->thin_id, err) < 0 ||
        storage->activate(storage->state, step->name, step->thin_id, step->bytes, false, path,
                          err) < 0)
        return -1;
    if (import_to(step, context, path, output, err) < 0)
        return -1;
    return storage->deactivate(storage->state, step->name, err);
}

int step_image_undo(const struct step *step, struct step_context *context, struct err *err)
{
    struct storage *storage = &context->backend->storage;
    if (storage->deactivate(storage->state, step->name, err) < 0)
        return -1;
    return storage->remove(storage->state, step->thin_id, err);
}

int step_file_import(const struct step *step, struct step_context *context, json_t *output,
                     struct err *err)
{
    const char *folder = context->paths.kernels_dir;
    struct transfer_result result;
    CLEANUP_FREE char *part = xasprintf("%s/%s.part", folder, step->name);
    CLEANUP_FREE char *path = xasprintf("%s/%s", folder, step->name);
    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot make %s", folder);
    CLEANUP_CLOSE int fd = open(part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot create %s", part);
    if (transfer(context, NULL, fd, step->bytes, &result, err) < 0)
        return -1;
    /* The folder, too: without that the store may say "ready" after a power cut of a file that is not
     * there. */
    if (fsync(fd) < 0 || rename(part, path) < 0 || sync_folder(folder, NULL) < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot keep %s", path);
    json_object_set_new(output, "size_bytes", json_integer((json_int_t)result.size_bytes));
    return 0;
}

int step_file_remove(const struct step *step, struct step_context *context, struct err *err)
{
    CLEANUP_FREE char *part = xasprintf("%s/%s.part", context->paths.kernels_dir, step->name);
    CLEANUP_FREE char *path = xasprintf("%s/%s", context->paths.kernels_dir, step->name);
    if ((unlink(part) < 0 && errno != ENOENT) || (unlink(path) < 0 && errno != ENOENT))
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot remove %s", path);
    if (access(context->paths.kernels_dir, F_OK) < 0)
        return 0;
    /* Once the store has forgotten it, nobody would remove what a power cut brings back. */
    return sync_folder(context->paths.kernels_dir, err);
}
