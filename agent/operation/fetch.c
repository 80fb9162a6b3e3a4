/* image.fetch. */
#include "base/err.h"
#include "base/memory.h"
#include "capacity/admit.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/slice.h"
#include "operation/capacity.h"
#include "operation/image.h"
#include "operation/node.h"
#include "operation/task.h"
#include "operation/type.h"
#include "plan/facts.h"
#include "plan/image.h"
#include "plan/plan.h"
#include "store/must.h"
#include "store/store.h"

/* Of a kernel or ramdisk, which lies on the state volume. Larger ones are refused. */
#define KERNEL_LIMIT_BYTES (512 * MIB)

static int fetch_prepare(struct task *task, struct slice *none, struct plan_facts *facts,
                         struct err *err)
{
    struct image image;
    struct capacity capacity;
    (void)none;
    *facts = (struct plan_facts){.image = &image, .image_limit_bytes = KERNEL_LIMIT_BYTES};
    if (image_parse(task->record.request.args, &image, err) < 0 ||
        task_refuse_drained(task, "new images", err) < 0)
        return -1;
    struct image present;
    if (must(store_image_find(task->tasks->config.store, image.id, &present, err), err) == 1)
        return err_set(err, ERR_IMAGE_EXISTS, "image %s is here already", image.id);
    if (task_disk_capacity(task->tasks, &capacity, err) < 0)
        return -1;
    if (image.kind == IMAGE_DISK) {
        if (admit_disk(&capacity, task_import_bytes(&image), "the image", err) < 0)
            return -1;
        facts->image_limit_bytes =
            (admit_disk_free_bytes(&capacity) + task_spare_bytes(task->tasks)) / MIB * MIB;
    } else if (!capacity.storage) {
        return err_set(err, ERR_STORAGE_MISSING, "the node has no storage to keep a kernel on");
    }
    if (task_put_new_image(task, &image, err) < 0 ||
        task_scratch_id(task, &image, &facts->scratch_id, err) < 0)
        return -1;
    plan_make(plan_image_fetch, facts, &task->plan);
    return 0;
}

static void fetch_failed(struct task *task)
{
    image_forget(task, "failed", &task->record.error);
}

const struct operation_type operation_image_fetch = {
    .traits = OPERATION_FETCHES,
    .image_in = "",
    .prepare = fetch_prepare,
    .end_step = image_end_step,
    .progress = image_progress,
    .keeps = image_keeps,
    .failed = fetch_failed,
};
