/* Steps on a slice's memory. */
#include "step/checkpoint.h"

#include "backend/backend.h"
#include "base/err.h"
#include "codec/memory_stream.h"
#include "model/snapshot.h"
#include "plan/steps.h"
#include "step/context.h"
#include "step/own.h"
#include "step/volume.h"

#include <stdio.h>
#include <string.h>

/* A new volume each time: blocks of zeros are not written, so none of an earlier try may be
 * there. */
static int make_volume(const struct step_volume *volume, struct step_context *context,
                       char path[static VOLUME_PATH_BYTES], struct err *err)
{
    struct storage *storage = &context->backend->storage;
    if (storage->deactivate(storage->state, volume->name, err) < 0 ||
        own_remove_remains(context, volume->thin_id, err) < 0 ||
        own_create(context, volume->thin_id, err) < 0)
        return -1;
    return storage->activate(storage->state, volume->name, volume->thin_id, volume->bytes, false,
                             path, err);
}

int step_memory_save(const struct step *step, struct step_context *context, json_t *output,
                     struct err *err)
{
    struct hypervisor *hypervisor = &context->backend->hypervisor;
    struct storage *storage = &context->backend->storage;
    struct memory_mark mark;
    uint64_t mapped;
    char path[VOLUME_PATH_BYTES], crc[17];
    if (make_volume(&step->volume, context, path, err) < 0 ||
        hypervisor->domain_save(hypervisor->state, context->slice->id, path, &mark, err) < 0 ||
        storage->mapped(storage->state, step->volume.name, &mapped, err) < 0 ||
        storage->deactivate(storage->state, step->volume.name, err) < 0)
        return -1;
    snprintf(crc, sizeof(crc), "%016llx", (unsigned long long)mark.crc);
    json_object_set_new(output, "memory_bytes", json_integer((json_int_t)mark.bytes));
    json_object_set_new(output, "memory_crc", json_string(crc));
    json_object_set_new(output, "mapped_bytes", json_integer((json_int_t)mapped));
    return 0;
}

int step_memory_undo(const struct step *step, struct step_context *context, struct err *err)
{
    struct storage *storage = &context->backend->storage;
    if (step_domain_resume(context, err) < 0 ||
        storage->deactivate(storage->state, step->volume.name, err) < 0)
        return -1;
    return storage->remove(storage->state, step->volume.thin_id, err);
}

static int is_suspended(struct step_context *context, struct err *err)
{
    struct hypervisor *hypervisor = &context->backend->hypervisor;
    struct domain_info domain;
    int found = hypervisor->domain_find(hypervisor->state, context->slice->id, &domain, err);
    if (found <= 0)
        return found;
    return domain.state == DOMAIN_SHUTDOWN && domain.reason == SHUTDOWN_SUSPEND;
}

/* A slice that does not stand still any more, because the node was reset since, may have lost
 * what its memory takes for written: there is no snapshot of that instant then. */
int step_checkpoint_take(const struct step *step, struct step_context *context, json_t *output,
                         struct err *err)
{
    int suspended = is_suspended(context, err);
    if (suspended < 0)
        return -1;
    if (!suspended)
        return err_set(err, ERR_SLICE_STATE,
                       "slice %s ended before the snapshot of its disk was taken",
                       context->slice->id);
    return step_snapshot_take(step, context, output, err);
}

int step_domain_resume(struct step_context *context, struct err *err)
{
    struct hypervisor *hypervisor = &context->backend->hypervisor;
    return hypervisor->domain_resume(hypervisor->state, context->slice->id, err);
}

int step_memory_check(const struct step *step, struct step_context *context, struct err *err)
{
    struct storage *storage = &context->backend->storage;
    char path[VOLUME_PATH_BYTES];
    if (storage->deactivate(storage->state, step->volume.name, err) < 0 ||
        storage->activate(storage->state, step->volume.name, step->volume.thin_id,
                          step->volume.bytes, true, path, err) < 0)
        return -1;
    int result = memory_stream_check(path, &context->snapshot->memory.mark, err);
    if (storage->deactivate(storage->state, step->volume.name, result < 0 ? NULL : err) < 0)
        return -1;
    return result;
}

int step_domain_run(struct step_context *context, json_t *output, struct err *err)
{
    struct hypervisor *hypervisor = &context->backend->hypervisor;
    int domain_id;
    if (hypervisor->domain_run(hypervisor->state, context->slice->id, &domain_id, err) < 0)
        return -1;
    json_object_set_new(output, "domain_id", json_integer(domain_id));
    return 0;
}

int step_domain_restore_undo(const struct step *step, struct step_context *context, struct err *err)
{
    struct hypervisor *hypervisor = &context->backend->hypervisor;
    struct storage *storage = &context->backend->storage;
    if (hypervisor->domain_destroy(hypervisor->state, context->slice->id, err) < 0)
        return -1;
    return storage->deactivate(storage->state, step->start.memory, err);
}
