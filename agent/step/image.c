/* Steps that bring images and the operator's kernels to the node. */
#include "step/image.h"

#include "backend/backend.h"
#include "base/err.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/image.h"
#include "plan/steps.h"
#include "step/context.h"
#include "step/own.h"
#include "transfer/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Beside the tables and bitmaps of a qcow2 or VHD file, what it has over the disk's size:
 * clusters that only internal snapshots use, or that were freed. */
#define SCRATCH_EXTRA_BYTES (64 * MIB)

struct import {
    struct step_context *context;
    const char *volume;  /* NULL for a file */
    const char *scratch; /* "" for none */
};

static bool import_progress(void *argument, uint64_t transferred_bytes, uint64_t total_bytes)
{
    struct import *import = argument;
    struct storage *storage = &import->context->backend->storage;
    uint64_t mapped = 0, scratch = 0;
    int percent = 0;
    if (import->volume)
        storage->mapped(storage->state, import->volume, &mapped, NULL);
    if (import->volume && import->scratch[0])
        storage->mapped(storage->state, import->scratch, &scratch, NULL);
    if (total_bytes)
        percent = transferred_bytes >= total_bytes
                      ? 100
                      : (int)(100.0 * (double)transferred_bytes / (double)total_bytes);
    import->context->progress(import->context->argument, percent, mapped + scratch);
    return true;
}

/* Where a step's import goes; `scratch` is -1 for none. */
struct target {
    const char *volume;
    uint64_t limit_bytes;
    enum image_format format;
    char scratch_name[VOLUME_NAME_BYTES];
    int output;
    int scratch;
};

static uint64_t scratch_bytes(uint64_t limit_bytes)
{
    return limit_bytes + limit_bytes / 16 + SCRATCH_EXTRA_BYTES;
}

static int transfer(struct step_context *context, const struct target *target,
                    struct transfer_result *result, struct err *err)
{
    const struct image *image = context->image;
    struct import import = {
        .context = context, .volume = target->volume, .scratch = target->scratch_name};
    struct transfer job = {.libexec = context->paths.libexec,
                           .url = image->url,
                           .ca = context->ca,
                           .sha256 = image->sha256,
                           .compression = image->compression,
                           .format = target->format,
                           .kernel = image->kind == IMAGE_KERNEL,
                           .transfer_bytes = image->transfer_bytes,
                           .limit_bytes = target->limit_bytes,
                           .output = target->output,
                           .scratch = target->scratch,
                           .scratch_bytes = scratch_bytes(target->limit_bytes)};
    return transfer_image(&job, import_progress, &import, result, err);
}

static int import_to(struct step_context *context, const struct target *target, json_t *output,
                     struct err *err)
{
    struct storage *storage = &context->backend->storage;
    struct transfer_result result;
    if (transfer(context, target, &result, err) < 0)
        return -1;
    uint64_t mapped;
    if (storage->mapped(storage->state, target->volume, &mapped, err) < 0)
        return -1;
    json_object_set_new(output, "size_bytes", json_integer((json_int_t)result.size_bytes));
    json_object_set_new(output, "mapped_bytes", json_integer((json_int_t)mapped));
    return 0;
}

static int open_volume(struct storage *storage, const char *name, uint32_t thin_id, uint64_t bytes,
                       int *fd, struct err *err)
{
    char path[VOLUME_PATH_BYTES];
    if (storage->activate(storage->state, name, thin_id, bytes, false, path, err) < 0)
        return -1;
    *fd = open(path, O_RDWR | O_CLOEXEC);
    return *fd < 0 ? err_errno(err, ERR_STORAGE_ERROR, errno, "cannot open %s", path) : 0;
}

/* Both new and empty, or neither: a step that finds what is not its own is not undone. */
static int make_volumes(const struct step_import *import, struct step_context *context,
                        struct err *err)
{
    struct storage *storage = &context->backend->storage;
    if (own_create(context, import->volume.thin_id, err) < 0)
        return -1;
    if (import->scratch_id == 0 || own_create(context, import->scratch_id, err) == 0)
        return 0;
    if (context->foreign)
        storage->remove(storage->state, import->volume.thin_id, NULL);
    return -1;
}

static int import_volume(const struct step *step, struct step_context *context, json_t *output,
                         struct err *err)
{
    struct storage *storage = &context->backend->storage;
    CLEANUP_CLOSE int output_fd = -1;
    CLEANUP_CLOSE int scratch = -1;
    const struct step_import *import = &step->import;
    const struct step_volume *volume = &import->volume;
    struct target target = {
        .volume = volume->name, .limit_bytes = volume->bytes, .format = import->format};
    if (make_volumes(import, context, err) < 0)
        return -1;
    if (import->scratch_id != 0) {
        volume_name(target.scratch_name, "scratch", import->image);
        if (open_volume(storage, target.scratch_name, import->scratch_id,
                        scratch_bytes(volume->bytes), &scratch, err) < 0)
            return -1;
    }
    if (open_volume(storage, volume->name, volume->thin_id, volume->bytes, &output_fd, err) < 0)
        return -1;
    target.output = output_fd;
    target.scratch = scratch;
    return import_to(context, &target, output, err);
}

static int remove_scratch(const struct step *step, struct step_context *context, struct err *err)
{
    struct storage *storage = &context->backend->storage;
    const struct step_import *import = &step->import;
    char name[VOLUME_NAME_BYTES];
    if (import->scratch_id == 0)
        return 0;
    volume_name(name, "scratch", import->image);
    if (storage->deactivate(storage->state, name, err) < 0)
        return -1;
    return storage->remove(storage->state, import->scratch_id, err);
}

int step_image_import(const struct step *step, struct step_context *context, json_t *output,
                      struct err *err)
{
    struct storage *storage = &context->backend->storage;
    /* A part that an earlier attempt wrote would show through where the image has zeroes. */
    context->begun = context->begun || step->import.remains;
    if ((context->begun && step_image_undo(step, context, err) < 0) ||
        import_volume(step, context, output, err) < 0 || remove_scratch(step, context, err) < 0)
        return -1;
    return storage->deactivate(storage->state, step->import.volume.name, err);
}

int step_image_undo(const struct step *step, struct step_context *context, struct err *err)
{
    struct storage *storage = &context->backend->storage;
    if (remove_scratch(step, context, err) < 0 ||
        storage->deactivate(storage->state, step->import.volume.name, err) < 0)
        return -1;
    return storage->remove(storage->state, step->import.volume.thin_id, err);
}

int step_file_import(const struct step *step, struct step_context *context, json_t *output,
                     struct err *err)
{
    const char *folder = context->paths.kernels_dir;
    struct transfer_result result;
    CLEANUP_FREE char *part = xasprintf("%s/%s.part", folder, step->file.image);
    CLEANUP_FREE char *path = xasprintf("%s/%s", folder, step->file.image);
    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot make %s", folder);
    CLEANUP_CLOSE int fd = open(part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot create %s", part);
    struct target target = {.limit_bytes = step->file.limit_bytes,
                            .format = step->file.format,
                            .output = fd,
                            .scratch = -1};
    if (transfer(context, &target, &result, err) < 0)
        return -1;
    /* The folder, too: without that the store may say "ready" after a power cut of a file that
     * is not there. */
    if (fsync(fd) < 0 || rename(part, path) < 0 || sync_folder(folder, NULL) < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot keep %s", path);
    json_object_set_new(output, "size_bytes", json_integer((json_int_t)result.size_bytes));
    return 0;
}

int step_file_remove(const struct step *step, struct step_context *context, struct err *err)
{
    CLEANUP_FREE char *part = xasprintf("%s/%s.part", context->paths.kernels_dir, step->file.image);
    CLEANUP_FREE char *path = xasprintf("%s/%s", context->paths.kernels_dir, step->file.image);
    if ((unlink(part) < 0 && errno != ENOENT) || (unlink(path) < 0 && errno != ENOENT))
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot remove %s", path);
    if (access(context->paths.kernels_dir, F_OK) < 0)
        return 0;
    /* Once the store has forgotten it, nobody would remove what a power cut brings back. */
    return sync_folder(context->paths.kernels_dir, err);
}
