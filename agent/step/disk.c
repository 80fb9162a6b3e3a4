/* Steps on the data volumes of slices. */
#include "step/disk.h"

#include "backend/backend.h"
#include "base/err.h"
#include "base/memory.h"
#include "model/volume.h"
#include "plan/steps.h"
#include "step/context.h"

int step_disk_plug(const struct step *step, struct step_context *context, struct err *err)
{
    struct hypervisor *hypervisor = &context->backend->hypervisor;
    struct storage *storage = &context->backend->storage;
    struct domain_disk disk;
    char path[VOLUME_PATH_BYTES];
    if (storage->activate(storage->state, step->plug.volume.name, step->plug.volume.thin_id,
                          step->plug.volume.bytes, false, path, err) < 0)
        return -1;
    disk.path = path;
    volume_device(disk.device, step->plug.slot);
    return hypervisor->disk_plug(hypervisor->state, context->slice->id, &disk, err);
}

int step_disk_unplug(const struct step *step, struct step_context *context, bool force,
                     struct err *err)
{
    struct hypervisor *hypervisor = &context->backend->hypervisor;
    struct storage *storage = &context->backend->storage;
    char device[DEVICE_NAME_BYTES];
    volume_device(device, step->plug.slot);
    if (hypervisor->disk_unplug(hypervisor->state, context->slice->id, device, force, err) < 0)
        return -1;
    return storage->deactivate(storage->state, step->plug.volume.name, err);
}

int step_disk_grow(const struct step *step, struct step_context *context, struct err *err)
{
    struct hypervisor *hypervisor = &context->backend->hypervisor;
    char device[DEVICE_NAME_BYTES] = "xvda";
    if (!step->growth.own_disk)
        volume_device(device, step->growth.slot);
    return hypervisor->disk_grow(hypervisor->state, context->slice->id, device,
                                 step->growth.volume.bytes, err);
}

int step_disks_find(struct step_context *context,
                    struct domain_disk disks[static SLICE_VOLUMES_MAX],
                    char paths[static SLICE_VOLUMES_MAX][VOLUME_PATH_BYTES], struct err *err)
{
    struct storage *storage = &context->backend->storage;
    for (size_t i = 0; i < context->volume_count; i++) {
        const struct volume *volume = &context->volumes[i];
        char name[VOLUME_NAME_BYTES];
        volume_name(name, "data", volume->id);
        if (storage->activate(storage->state, name, volume->thin_id, volume->size_gib * GIB, false,
                              paths[i], err) < 0)
            return -1;
        disks[i].path = paths[i];
        volume_device(disks[i].device, volume->slot);
    }
    return 0;
}
