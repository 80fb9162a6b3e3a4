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
#include "step/resize.h"
#include "step/volume.h"

static int need_storage(const struct step_context *context, struct err *err)
{
    if (!context->backend->storage.create)
        return err_set(err, ERR_STORAGE_MISSING, "the node has no storage");
    return 0;
}

static int run_volume(const struct step *step, struct step_context *context, json_t *output,
                      struct err *err)
{
    struct storage *storage = &context->backend->storage;
    char path[VOLUME_PATH_BYTES];
    if (need_storage(context, err) < 0)
        return -1;
    switch (step->kind) {
    case STEP_IMAGE_IMPORT:
        return step_image_import(step, context, output, err);
    case STEP_DISK_CLONE:
        return storage->snapshot(storage->state, step->origin_id, NULL, step->thin_id, NULL, err);
    case STEP_VOLUME_CREATE:
        return storage->create(storage->state, step->thin_id, err);
    case STEP_DISK_PLUG:
        return step_disk_plug(step, context, err);
    case STEP_DISK_UNPLUG:
        return step_disk_unplug(step, context, step->flag, err);
    case STEP_DISK_GROW:
        return step_disk_grow(step, context, err);
    case STEP_DISK_ACTIVATE:
    case STEP_VOLUME_ACTIVATE:
        return storage->activate(storage->state, step->name, step->thin_id, step->bytes, false,
                                 path, err);
    case STEP_SEED_WRITE:
        return step_seed_write(step, context, err);
    case STEP_VOLUME_DEACTIVATE:
        return storage->deactivate(storage->state, step->name, err);
    case STEP_VOLUME_REMOVE:
        return storage->remove(storage->state, step->thin_id, err);
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

int step_undo(const struct step *step, struct step_context *context, struct err *err)
{
    struct hypervisor *hypervisor = &context->backend->hypervisor;
    struct storage *storage = &context->backend->storage;
    if (step->kind == STEP_DISK_ACTIVATE && step->flag)
        return 0;
    switch (step->kind) {
    case STEP_DOMAIN_START:
        if (hypervisor->domain_destroy(hypervisor->state, context->slice->id, err) < 0)
            return -1;
        return step->flag ? console_remove(context->paths.console_dir, context->slice->id, err) : 0;
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
    case STEP_IMAGE_IMPORT:
    case STEP_DISK_CLONE:
    case STEP_DISK_ACTIVATE:
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
        break;
    default:
        return 0;
    }
    if (need_storage(context, err) < 0)
        return -1;
    if (step->kind == STEP_SNAPSHOT_MEASURE)
        return step->flag ? 0 : storage->deactivate(storage->state, step->name, err);
    if (step->kind == STEP_IMAGE_IMPORT)
        return step_image_undo(step, context, err);
    if (step->kind == STEP_DISK_PLUG)
        return step_disk_unplug(step, context, true, err);
    if (step->kind == STEP_DISK_UNPLUG)
        return step_disk_plug(step, context, err);
    if (step->kind == STEP_MEMORY_SAVE)
        return step_memory_undo(step, context, err);
    if (step->kind == STEP_VOLUME_ACTIVATE || step->kind == STEP_MEMORY_CHECK)
        return storage->deactivate(storage->state, step->name, err);
    if (step->kind == STEP_SNAPSHOT_EXPORT)
        return step_export_undo(step, context, err);
    /* A worker that died in the middle may have left the origin suspended: activating resumes it. */
    char path[VOLUME_PATH_BYTES];
    if ((step->kind == STEP_SNAPSHOT_TAKE || step->kind == STEP_CHECKPOINT_TAKE) &&
        ((step->flag && storage->activate(storage->state, step->name, step->origin_id, step->bytes,
                                          false, path, err) < 0) ||
         step_snapshot_hide(context, err) < 0))
        return -1;
    if (step->kind == STEP_DISK_ACTIVATE || step->kind == STEP_SEED_WRITE) {
        if (storage->deactivate(storage->state, step->name, err) < 0)
            return -1;
        if (step->kind == STEP_DISK_ACTIVATE || !step->flag)
            return 0;
    }
    return storage->remove(storage->state, step->thin_id, err);
}
