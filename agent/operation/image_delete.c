/* image.delete. */
#include "backend/open.h"
#include "base/err.h"
#include "base/ident.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/slice.h"
#include "operation/image.h"
#include "operation/task.h"
#include "operation/type.h"
#include "plan/facts.h"
#include "plan/image.h"
#include "plan/plan.h"
#include "store/must.h"
#include "store/store.h"

#include <string.h>

static int delete_prepare(struct task *task, struct slice *none, struct plan_facts *facts,
                          struct err *err)
{
    struct store *store = task->tasks->config.store;
    char id[UUID_TEXT_BYTES];
    struct image image;
    const struct slice *const *slices;
    size_t count;
    bool used = false;
    (void)none;
    if (image_delete_parse(task->record.request.args, id, err) < 0)
        return -1;
    if (must(store_image_find(store, id, &image, err), err) == 0)
        return err_set(err, ERR_IMAGE_NOT_FOUND, "there is no image %s", id);
    if (task_image_shared(task, id))
        return err_set(err, ERR_IMAGE_IN_USE, "a request uses image %s", id);
    must(store_slices(store, &slices, &count, err), err);
    for (size_t i = 0; i < count; i++)
        used |= slices[i]->boot == BOOT_KERNEL &&
                (strcmp(slices[i]->kernel, id) == 0 || strcmp(slices[i]->ramdisk, id) == 0);
    if (used)
        return err_set(err, ERR_IMAGE_IN_USE, "a slice starts from image %s", id);
    facts->image = &image;
    image.ready = false;
    must(store_image_put(store, &image, err), err);
    plan_make(plan_image_delete, facts, &task->plan);
    return 0;
}

static void delete_done(struct task *task, json_t **result)
{
    (void)result;
    image_forget(task, "deleted", NULL);
}

const struct operation_type operation_image_delete = {
    .traits = OPERATION_REMOVES_IMAGE,
    .image_in = "",
    .prepare = delete_prepare,
    .done = delete_done,
};
