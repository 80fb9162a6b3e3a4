/* Steps on volumes that are more than one call: the seed and snapshots. */
#include "step/volume.h"

#include "backend/backend.h"
#include "base/err.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/nic.h"
#include "model/slice.h"
#include "plan/steps.h"
#include "step/context.h"
#include "step/own.h"
#include "step/seed.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int write_seed(const struct slice *slice, const char *path, struct err *err)
{
    CLEANUP_FREE void *image = NULL;
    size_t length;
    if (seed_build(slice, &image, &length, err) < 0)
        return -1;
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot open %s", path);
    if (write_full(fd, image, length) < 0 || fsync(fd) < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot write the seed to %s", path);
    return 0;
}

/* Written anew at each start: a seed from before an update of the slice or the agent never
 * stays. */
int step_seed_write(const struct step *step, struct step_context *context, struct err *err)
{
    struct storage *storage = &context->backend->storage;
    char path[VOLUME_PATH_BYTES];
    /* The slice has its seed from its first start on. */
    context->begun = context->begun || !step->seed.first;
    if (storage->deactivate(storage->state, step->seed.volume.name, err) < 0 ||
        own_create(context, step->seed.volume.thin_id, err) < 0 ||
        storage->activate(storage->state, step->seed.volume.name, step->seed.volume.thin_id,
                          SEED_LIMIT_BYTES, false, path, err) < 0 ||
        write_seed(context->slice, path, err) < 0)
        return -1;
    /* From here on nobody writes to it. */
    return storage->activate(storage->state, step->seed.volume.name, step->seed.volume.thin_id,
                             SEED_LIMIT_BYTES, true, path, err);
}

/* Pool bytes of a volume that is active or is made so for the moment. */
static int measure(struct storage *storage, const char *name, uint32_t thin_id, uint64_t size,
                   bool active, json_t *output, struct err *err)
{
    char path[VOLUME_PATH_BYTES];
    uint64_t mapped;
    if (!active && storage->activate(storage->state, name, thin_id, size, true, path, err) < 0)
        return -1;
    int result = storage->mapped(storage->state, name, &mapped, err);
    if (!active && storage->deactivate(storage->state, name, result < 0 ? NULL : err) < 0)
        return -1;
    if (result == 0)
        json_object_set_new(output, "mapped_bytes", json_integer((json_int_t)mapped));
    return result;
}

int step_snapshot_measure(const struct step *step, struct step_context *context, json_t *output,
                          struct err *err)
{
    const struct step_volume *origin = &step->snapshot.origin;
    return measure(&context->backend->storage, origin->name, origin->thin_id, origin->bytes,
                   step->snapshot.active, output, err);
}

int step_snapshot_hide(struct step_context *context, struct err *err)
{
    struct storage *storage = &context->backend->storage;
    char name[VOLUME_NAME_BYTES];
    volume_name(name, "snap", context->slice->id);
    return storage->deactivate(storage->state, name, err);
}

int step_snapshot_take(const struct step *step, struct step_context *context, json_t *output,
                       struct err *err)
{
    struct storage *storage = &context->backend->storage;
    char name[VOLUME_NAME_BYTES];
    uint64_t mapped;
    const struct step_snapshot *args = &step->snapshot;
    if (own_snapshot(context, args->origin.thin_id, args->active ? args->origin.name : NULL,
                     args->thin_id, &mapped, err) < 0)
        return -1;
    if (mapped > 0) {
        json_object_set_new(output, "mapped_bytes", json_integer((json_int_t)mapped));
        return 0;
    }
    volume_name(name, "snap", context->slice->id);
    return measure(storage, name, args->thin_id, args->origin.bytes, false, output, err);
}
