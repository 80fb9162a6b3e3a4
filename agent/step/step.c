#include "step/step.h"

#include "backend/backend.h"
#include "backend/console_log.h"
#include "base/err.h"
#include "plan/steps.h"
#include "step/checkpoint.h"
#include "step/context.h"
#include "step/disk.h"
#include "step/domain.h"
#include "step/export.h"
#include "step/image.h"
#include "step/node.h"
#include "step/own.h"
#include "step/resize.h"
#include "step/volume.h"

static int need_storage(const struct step_context *context, struct err *err)
{
    if (!context->backend->storage.create)
        return err_set(err, ERR_STORAGE_MISSING, "the node has no storage");
    return 0;
}

static int activate(struct storage *storage, const struct step_volume *volume, struct err *err)
{
    char path[VOLUME_PATH_BYTES];
    return storage->activate(storage->state, volume->name, volume->thin_id, volume->bytes, false,
                             path, err);
}

static int run_volume(const struct step *step, struct step_context *context, json_t *output,
                      struct err *err)
{
    struct storage *storage = &context->backend->storage;
    if (need_storage(context, err) < 0)
        return -1;
    switch (step->kind) {
    case STEP_IMAGE_IMPORT:
        return step_image_import(step, context, output, err);
    case STEP_DISK_CLONE:
        return own_snapshot(context, step->clone.origin_id, NULL, step->clone.thin_id, NULL, err);
    case STEP_VOLUME_CREATE:
        return own_create(context, step->volume.thin_id, err);
    case STEP_DISK_PLUG:
        return step_disk_plug(step, context, err);
    case STEP_DISK_UNPLUG:
        return step_disk_unplug(step, context, step->plug.force, err);
    case STEP_DISK_GROW:
        return step_disk_grow(step, context, err);
    case STEP_DISK_ACTIVATE:
        return activate(storage, &step->disk.volume, err);
    case STEP_VOLUME_ACTIVATE:
        return activate(storage, &step->volume, err);
    case STEP_SEED_WRITE:
        return step_seed_write(step, context, err);
    case STEP_VOLUME_DEACTIVATE:
        return storage->deactivate(storage->state, step->volume.name, err);
    case STEP_VOLUME_REMOVE:
        return storage->remove(storage->state, step->volume.thin_id, err);
    case STEP_SNAPSHOT_MEASURE:
        return step_snapshot_measure(step, context, output, err);
    case STEP_SNAPSHOT_TAKE:
        return step_snapshot_take(step, context, output, err);
    case STEP_SNAPSHOT_EXPORT:
        return step_snapshot_export(step, context, output, err);
    case STEP_MEMORY_SAVE:
        return step_memory_save(step, context, output, err);
    case STEP_CHECKPOINT_TAKE:
        return step_checkpoint_take(step, context, output, err);
    case STEP_MEMORY_CHECK:
        return step_memory_check(step, context, err);
    default:
        return err_set(err, ERR_INTERNAL, "step %s is not known", step_name(step->kind));
    }
}

int step_run(const struct step *step, struct step_context *context, json_t *output, struct err *err)
{
    struct hypervisor *hypervisor = &context->backend->hypervisor;
    switch (step->kind) {
    case STEP_FILE_IMPORT:
        return step_file_import(step, context, output, err);
    case STEP_DOMAIN_START:
    case STEP_DOMAIN_RESTORE:
        return step_domain_start(step, context, output, err);
    case STEP_DOMAIN_RESUME:
        return step_domain_resume(context, err);
    case STEP_DOMAIN_RUN:
        return step_domain_run(context, output, err);
    case STEP_DOMAIN_SHUTDOWN:
        return step_domain_shutdown(step, context, err);
    case STEP_DOMAIN_WAIT:
        return step_domain_wait(step, context, output, err);
    case STEP_DOMAIN_DESTROY:
        return hypervisor->domain_destroy(hypervisor->state, context->slice->id, err);
    case STEP_DOMAIN_PAUSE:
        return hypervisor->domain_pause(hypervisor->state, context->slice->id, err);
    case STEP_DOMAIN_UNPAUSE:
        return hypervisor->domain_unpause(hypervisor->state, context->slice->id, err);
    case STEP_DOMAIN_VCPUS:
    case STEP_DOMAIN_MEMORY:
        return step_domain_resize(step, context, output, err);
    case STEP_DISK_SWAP:
        return 0;
    case STEP_FILE_REMOVE:
        return step_file_remove(step, context, err);
    case STEP_NODE_REBOOT:
        return step_node_reboot(context, err);
    case STEP_CONSOLE_REMOVE:
        return console_remove(context->paths.console_dir, context->slice->id, err);
    default:
        return run_volume(step, context, output, err);
    }
}

/* A domain that has ended meanwhile has nothing to take back. */
static int undo_pause(int (*call)(void *state, const char *slice, struct err *err),
                      struct step_context *context, struct err *err)
{
    struct err problem = {0};
    if (call(context->backend->hypervisor.state, context->slice->id, &problem) == 0 ||
        problem.code == ERR_SLICE_STATE)
        return 0;
    return err_set(err, problem.code, "%s", problem.message);
}

/* A worker that died in the middle may have left the origin suspended: activating resumes it. */
static int undo_snapshot(const struct step_snapshot *snapshot, struct step_context *context,
                         struct err *err)
{
    struct storage *storage = &context->backend->storage;
    if ((snapshot->active && activate(storage, &snapshot->origin, err) < 0) ||
        step_snapshot_hide(context, err) < 0)
        return -1;
    return storage->remove(storage->state, snapshot->thin_id, err);
}

static int undo_seed(const struct step_seed *seed, struct storage *storage, struct err *err)
{
    if (storage->deactivate(storage->state, seed->volume.name, err) < 0)
        return -1;
    return seed->first ? storage->remove(storage->state, seed->volume.thin_id, err) : 0;
}

static int undo_volume(const struct step *step, struct step_context *context, struct err *err)
{
    struct storage *storage = &context->backend->storage;
    if (need_storage(context, err) < 0)
        return -1;
    switch (step->kind) {
    case STEP_IMAGE_IMPORT:
        return step_image_undo(step, context, err);
    case STEP_DISK_CLONE:
        return storage->remove(storage->state, step->clone.thin_id, err);
    case STEP_DISK_ACTIVATE:
        return storage->deactivate(storage->state, step->disk.volume.name, err);
    case STEP_SEED_WRITE:
        return undo_seed(&step->seed, storage, err);
    case STEP_VOLUME_CREATE:
        return storage->remove(storage->state, step->volume.thin_id, err);
    case STEP_VOLUME_ACTIVATE:
    case STEP_MEMORY_CHECK:
        return storage->deactivate(storage->state, step->volume.name, err);
    case STEP_DISK_PLUG:
        return step_disk_unplug(step, context, true, err);
    case STEP_DISK_UNPLUG:
        return step_disk_plug(step, context, err);
    case STEP_SNAPSHOT_MEASURE:
        return step->snapshot.active
                   ? 0
                   : storage->deactivate(storage->state, step->snapshot.origin.name, err);
    case STEP_SNAPSHOT_TAKE:
    case STEP_CHECKPOINT_TAKE:
        return undo_snapshot(&step->snapshot, context, err);
    case STEP_SNAPSHOT_EXPORT:
        return step_export_undo(step, context, err);
    default: /* STEP_MEMORY_SAVE */
        return step_memory_undo(step, context, err);
    }
}

int step_undo(const struct step *step, struct step_context *context, struct err *err)
{
    struct hypervisor *hypervisor = &context->backend->hypervisor;
    switch (step->kind) {
    case STEP_DOMAIN_START:
        if (hypervisor->domain_destroy(hypervisor->state, context->slice->id, err) < 0)
            return -1;
        return step->start.first
                   ? console_remove(context->paths.console_dir, context->slice->id, err)
                   : 0;
    case STEP_DOMAIN_RESTORE:
        return step_domain_restore_undo(step, context, err);
    case STEP_DOMAIN_PAUSE:
        return undo_pause(hypervisor->domain_unpause, context, err);
    case STEP_DOMAIN_UNPAUSE:
        return undo_pause(hypervisor->domain_pause, context, err);
    case STEP_DOMAIN_VCPUS:
    case STEP_DOMAIN_MEMORY:
        return step_domain_resize_undo(step, context, err);
    case STEP_FILE_IMPORT:
        return step_file_remove(step, context, err);
    case STEP_DISK_ACTIVATE:
        return step->disk.grown ? 0 : undo_volume(step, context, err);
    case STEP_IMAGE_IMPORT:
    case STEP_DISK_CLONE:
    case STEP_SEED_WRITE:
    case STEP_SNAPSHOT_TAKE:
    case STEP_VOLUME_CREATE:
    case STEP_VOLUME_ACTIVATE:
    case STEP_DISK_PLUG:
    case STEP_DISK_UNPLUG:
    case STEP_SNAPSHOT_MEASURE:
    case STEP_SNAPSHOT_EXPORT:
    case STEP_CHECKPOINT_TAKE:
    case STEP_MEMORY_SAVE:
    case STEP_MEMORY_CHECK:
        return undo_volume(step, context, err);
    default:
        return 0;
    }
}
