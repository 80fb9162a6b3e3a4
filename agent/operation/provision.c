/* slice.provision. */
#include "model/provision.h"
#include "backend/open.h"
#include "base/err.h"
#include "base/memory.h"
#include "capacity/admit.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/request.h"
#include "model/size.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "operation/capacity.h"
#include "operation/image.h"
#include "operation/node.h"
#include "operation/slice.h"
#include "operation/task.h"
#include "operation/thin_id.h"
#include "operation/type.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "plan/slice.h"
#include "plan/steps.h"
#include "store/must.h"
#include "store/store.h"

static int choose_type(struct slice *slice, const struct capacity *capacity, struct err *err)
{
    if (!slice->type_given)
        slice->type = capacity->pvh ? SLICE_PVH : SLICE_PV;
    if (slice->type == SLICE_PVH ? capacity->pvh : capacity->pv)
        return 0;
    return err_set(err, ERR_INVALID_ARGUMENT, "this node cannot run %s slices",
                   slice->type == SLICE_PVH ? "pvh" : "pv");
}

static int check_image_size(const struct slice *slice, const struct image *image, struct err *err)
{
    if (image->size_bytes > slice->disk_gib * GIB)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "image %s has %llu MiB, more than the disk of %llu GiB", image->id,
                       (unsigned long long)((image->size_bytes + MIB - 1) / MIB),
                       (unsigned long long)slice->disk_gib);
    return 0;
}

static int find_source(struct task *task, const struct slice *slice, struct image *image,
                       struct snapshot *snapshot, bool *ready, struct err *err)
{
    if (!slice->snapshot[0])
        return task_find_image(task, image, ready, err) < 0 ||
                       check_image_size(slice, image, err) < 0
                   ? -1
                   : 0;
    *ready = true;
    if (must(store_snapshot_find(task->tasks->config.store, slice->snapshot, snapshot, err), err) ==
        0)
        return err_set(err, ERR_SNAPSHOT_NOT_FOUND, "there is no snapshot %s", slice->snapshot);
    if (snapshot->size_bytes > slice->disk_gib * GIB)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "snapshot %s has %llu MiB, more than the disk of %llu GiB", snapshot->id,
                       (unsigned long long)((snapshot->size_bytes + MIB - 1) / MIB),
                       (unsigned long long)slice->disk_gib);
    return 0;
}

static int admit_provision(struct task *task, struct slice *slice, struct image *image,
                           struct snapshot *snapshot, bool *ready, struct err *err)
{
    struct capacity capacity;
    if (slice->boot == BOOT_KERNEL &&
        (task_check_kernel(task, slice->kernel, IMAGE_KERNEL, err) < 0 ||
         (slice->ramdisk[0] && task_check_kernel(task, slice->ramdisk, IMAGE_RAMDISK, err) < 0)))
        return -1;
    if (tasks_capacity(task->tasks, NULL, &capacity, err) < 0 || admit_pool(&capacity, err) < 0 ||
        choose_type(slice, &capacity, err) < 0 ||
        find_source(task, slice, image, snapshot, ready, err) < 0 ||
        admit_vcpus(&capacity, slice_size(slice).max_vcpus, err) < 0)
        return -1;
    if (slice->desired_running && admit_domain(&capacity, slice, err) < 0)
        return -1;
    uint64_t disk = admit_slice_disk_bytes(slice);
    if (!*ready)
        disk += task_import_bytes(image);
    return admit_disk(&capacity, disk, "the slice", err);
}

static int provision_prepare(struct task *task, struct slice *none, struct plan_facts *facts,
                             struct err *err)
{
    const struct request *request = &task->record.request;
    struct store *store = task->tasks->config.store;
    struct slice slice = {0}, present = {0};
    struct image image = {0};
    struct snapshot snapshot = {0};
    uint32_t scratch_id = 0;
    bool ready;
    (void)none;
    if (provision_parse(request->slice, request->args, &slice, &image, err) < 0)
        return -1;
    if (task_refuse_drained(task, "new slices", err) < 0) {
        slice_free(&slice);
        return -1;
    }
    if (must(store_slice_find(store, slice.id, &present, err), err) == 1) {
        slice_free(&present);
        slice_free(&slice);
        return err_set(err, ERR_SLICE_EXISTS, "slice %s exists already", request->slice);
    }
    if (admit_provision(task, &slice, &image, &snapshot, &ready, err) < 0) {
        slice_free(&slice);
        return -1;
    }
    bool remains = !ready && image.thin_id != 0;
    if ((!ready && (task_put_new_image(task, &image, err) < 0 ||
                    task_scratch_id(task, &image, &scratch_id, err) < 0)) ||
        task_next_thin_id(task, &slice.disk_thin_id, err) < 0 ||
        task_next_thin_id(task, &slice.seed_thin_id, err) < 0) {
        slice_free(&slice);
        return -1;
    }
    slice.state = SLICE_PROVISIONING;
    slice.domain_id = -1;
    task_slice_put(task, &slice);
    *facts = (struct plan_facts){.slice = &slice,
                                 .image = slice.snapshot[0] ? NULL : &image,
                                 .snapshots = &snapshot,
                                 .snapshot_count = 1,
                                 .image_ready = ready,
                                 .image_limit_bytes = slice.disk_gib * GIB,
                                 .image_remains = remains,
                                 .scratch_id = scratch_id};
    plan_make(plan_provision, facts, &task->plan);
    slice_free(&slice);
    return 0;
}

/* An image that was fetched for this slice is known in size only now. */
static int provision_begin_step(struct task *task, const struct step *step, struct err *err)
{
    struct slice slice;
    struct image image;
    if (step->kind != STEP_DISK_CLONE || !image_find(task, &image) ||
        !task_slice_find(task, &slice))
        return 0;
    int fits = check_image_size(&slice, &image, err);
    slice_free(&slice);
    return fits;
}

static int provision_end_step(struct task *task, const struct step *step, const json_t *output,
                              struct err *err)
{
    return step->kind == STEP_IMAGE_IMPORT ? image_end_step(task, step, output, err)
                                           : slice_end_step(task, step, output, err);
}

static void provision_failed(struct task *task)
{
    struct slice slice;
    struct image image;
    struct err err;
    if (task_slice_find(task, &slice)) {
        must(store_slice_delete(task->tasks->config.store, slice.id, &err), &err);
        slice_free(&slice);
    }
    if (must(store_image_find(task->tasks->config.store, task->image, &image, &err), &err) == 1 &&
        !image.ready)
        image_forget(task, "failed", &task->record.error);
}

const struct operation_type operation_slice_provision = {
    .traits = OPERATION_MAKES_SLICE | OPERATION_READS_SNAPSHOT | OPERATION_FETCHES,
    .image_in = "image",
    .prepare = provision_prepare,
    .begin_step = provision_begin_step,
    .end_step = provision_end_step,
    .progress = image_progress,
    .keeps = image_keeps,
    .done = slice_done,
    .failed = provision_failed,
};
