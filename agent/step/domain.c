/* Steps on a slice's domain. */
#include "step/domain.h"

#include "backend/backend.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/nic.h"
#include "model/size.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "model/volume.h"
#include "plan/steps.h"
#include "step/context.h"
#include "step/disk.h"
#include "step/seed.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WAIT_INTERVAL_MS 200

struct boot_files {
    char *kernel;
    char *ramdisk;
};

static void find_boot_files(const struct node_paths *paths, const struct slice *slice,
                            struct boot_files *files)
{
    if (slice->boot == BOOT_KERNEL) {
        files->kernel = xasprintf("%s/%s", paths->kernels_dir, slice->kernel);
        files->ramdisk =
            slice->ramdisk[0] ? xasprintf("%s/%s", paths->kernels_dir, slice->ramdisk) : NULL;
        return;
    }
    files->kernel =
        xasprintf("%s/%s", paths->grub_dir,
                  slice->type == SLICE_PVH ? "grub-i386-xen_pvh.bin" : "grub-x86_64-xen.bin");
    files->ramdisk = NULL;
}

static int activate_path(struct storage *storage, const char *prefix, const struct slice *slice,
                         uint32_t thin_id, uint64_t bytes, bool read_only,
                         char path[static VOLUME_PATH_BYTES], struct err *err)
{
    char name[VOLUME_NAME_BYTES];
    volume_name(name, prefix, slice->id);
    return storage->activate(storage->state, name, thin_id, bytes, read_only, path, err);
}

static int restore(const struct step *step, struct step_context *context,
                   const struct domain_config *config, struct err *err)
{
    struct hypervisor *hypervisor = &context->backend->hypervisor;
    struct storage *storage = &context->backend->storage;
    const struct saved_memory *memory = &context->snapshot->memory;
    char path[VOLUME_PATH_BYTES];
    if (storage->activate(storage->state, step->start.memory, memory->thin_id,
                          saved_memory_room(memory), true, path, err) < 0)
        return -1;
    int result = hypervisor->domain_restore(hypervisor->state, config, path, &memory->mark, err);
    if (storage->deactivate(storage->state, step->start.memory, result < 0 ? NULL : err) < 0)
        return -1;
    return result;
}

static int start(const struct step *step, struct step_context *context, const struct slice *slice,
                 const struct boot_files *files, int *domain_id, struct err *err)
{
    struct hypervisor *hypervisor = &context->backend->hypervisor;
    struct storage *storage = &context->backend->storage;
    char disk_path[VOLUME_PATH_BYTES], seed_path[VOLUME_PATH_BYTES];
    char paths[SLICE_VOLUMES_MAX][VOLUME_PATH_BYTES];
    struct domain_disk disks[SLICE_VOLUMES_MAX];
    /* All are active already (the steps before this one): this only asks for their paths. */
    if (activate_path(storage, "slice", slice, step->start.disk_id, slice->disk_gib * GIB, false,
                      disk_path, err) < 0 ||
        activate_path(storage, "seed", slice, step->start.seed_id, SEED_LIMIT_BYTES, true,
                      seed_path, err) < 0 ||
        step_disks_find(context, disks, paths, err) < 0)
        return -1;
    struct domain_config config = {.slice = slice,
                                   .disk_path = disk_path,
                                   .seed_path = seed_path,
                                   .kernel_path = files->kernel,
                                   .ramdisk_path = files->ramdisk,
                                   .command_line =
                                       slice->command_line[0] ? slice->command_line : NULL,
                                   .disks = disks,
                                   .disk_count = context->volume_count};
    if (step->kind == STEP_DOMAIN_RESTORE)
        return restore(step, context, &config, err);
    return hypervisor->domain_start(hypervisor->state, &config, domain_id, err);
}

/* The import has unpacked a kernel unless it could not. Then libxl does, in dom0's memory,
 * Debian's to 55 MiB: one at a time, or slices that start together would use it up. */
static int take_turn(const struct node_paths *paths, const struct boot_files *files, int *turn,
                     struct err *err)
{
    unsigned char magic[SELFMAG] = "";
    CLEANUP_CLOSE int kernel = open(files->kernel, O_RDONLY | O_CLOEXEC);
    if (kernel < 0 || read(kernel, magic, sizeof(magic)) < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot read the kernel %s", files->kernel);
    if (memcmp(magic, ELFMAG, SELFMAG) == 0)
        return 0;
    *turn = open_locked(paths->kernels_dir, err);
    return *turn < 0 ? -1 : 0;
}

int step_domain_start(const struct step *step, struct step_context *context, json_t *output,
                      struct err *err)
{
    struct network *network = &context->backend->network;
    struct slice slice = *context->slice; /* what it owns stays the original's */
    struct nic nics[SLICE_NICS_MAX];
    for (unsigned i = 0; i < slice.nic_count; i++) {
        nics[i] = slice.nics[i];
        if (network->bridge(network->state, &slice.nics[i], nics[i].bridge, err) < 0)
            return -1;
    }
    slice.nics = nics;
    if (step->kind == STEP_DOMAIN_RESTORE)
        slice_set_size(&slice, &context->snapshot->memory.size);
    struct boot_files files;
    int domain_id = -1;
    CLEANUP_CLOSE int turn = -1;
    find_boot_files(&context->paths, &slice, &files);
    int result = 0;
    if (slice.boot == BOOT_KERNEL && step->kind == STEP_DOMAIN_START)
        result = take_turn(&context->paths, &files, &turn, err);
    if (result == 0)
        result = start(step, context, &slice, &files, &domain_id, err);
    free(files.kernel);
    free(files.ramdisk);
    if (result == 0)
        json_object_set_new(output, "domain_id", json_integer(domain_id));
    return result;
}

int step_domain_shutdown(const struct step *step, struct step_context *context, struct err *err)
{
    struct hypervisor *hypervisor = &context->backend->hypervisor;
    /* A guest that cannot be asked is stopped by force when its time is over. */
    if (hypervisor->domain_shutdown(hypervisor->state, context->slice->id, step->shutdown.reboot,
                                    err) < 0)
        log_warning("cannot ask slice %s to shut down: %s", context->slice->id, err->message);
    return 0;
}

/* 1 while the slice's domain still runs, 0 when it has ended or is gone. */
static int still_runs(struct hypervisor *hypervisor, const char *slice, struct err *err)
{
    struct domain_info domain;
    int found = hypervisor->domain_find(hypervisor->state, slice, &domain, err);
    if (found <= 0)
        return found;
    return domain.state == DOMAIN_RUNNING || domain.state == DOMAIN_PAUSED;
}

/* Passing the time is not an error: the plan goes on with force, and the result says so. */
int step_domain_wait(const struct step *step, struct step_context *context, json_t *output,
                     struct err *err)
{
    uint64_t until = monotonic_ms() + (uint64_t)step->wait.seconds * 1000;
    for (;;) {
        int runs = still_runs(&context->backend->hypervisor, context->slice->id, err);
        if (runs < 0)
            return -1;
        if (!runs || monotonic_ms() >= until) {
            json_object_set_new(output, "forced", json_boolean(runs));
            return 0;
        }
        nanosleep(&(struct timespec){.tv_nsec = WAIT_INTERVAL_MS * 1000000L}, NULL);
    }
}
