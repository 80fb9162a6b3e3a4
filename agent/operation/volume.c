/* Requests on volumes: what is checked and planned before they run, and what the store learns. */
#include "operation/volume.h"

#include "backend/open.h"
#include "base/err.h"
#include "base/memory.h"
#include "base/text.h"
#include "capacity/admit.h"
#include "model/nic.h"
#include "model/request.h"
#include "model/slice.h"
#include "model/volume.h"
#include "operation/capacity.h"
#include "operation/slice.h"
#include "operation/task.h"
#include "operation/thin_id.h"
#include "operation/type.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "plan/steps.h"
#include "plan/volume.h"
#include "store/must.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

static struct store *store_of(const struct task *task)
{
    return task->tasks->config.store;
}

static bool find_volume(const struct task *task, struct volume *volume)
{
    struct err err;
    return must(store_volume_find(store_of(task), task->volume, volume, &err), &err) == 1;
}

static void put_volume(const struct task *task, const struct volume *volume)
{
    struct err err;
    must(store_volume_put(store_of(task), volume, &err), &err);
}

void task_volumes(const struct task *task, struct volume **volumes, size_t *count)
{
    struct err err;
    must(store_volumes(store_of(task), task->slice, volumes, count, &err), &err);
}

/* Who works on an attached volume works on its slice. Both follow one another in a queue: what is
 * attached where does not change any more when the request's turn has come. */
void task_find_slice(struct task *task)
{
    struct volume volume;
    if (!task->volume[0] || task->record.request.slice[0] || task->worker)
        return;
    copy_text(task->slice, sizeof(task->slice), find_volume(task, &volume) ? volume.slice : "");
}

/* --- Before it runs --------------------------------------------------------------------------- */

static int prepare_create(struct task *task, const struct volume_args *args, struct err *err)
{
    struct capacity capacity;
    struct volume *volumes;
    struct err store_error;
    size_t count;
    struct volume volume = {.state = VOLUME_CREATING, .size_gib = args->size_gib};
    must(store_volumes(store_of(task), NULL, &volumes, &count, &store_error), &store_error);
    free(volumes);
    if (count >= NODE_VOLUMES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "the node has %zu volumes, the most it can have",
                       count);
    if (task_disk_capacity(task->tasks, &capacity, err) < 0 ||
        admit_disk(&capacity, args->size_gib * GIB, "the volume", err) < 0)
        return -1;
    copy_text(volume.id, sizeof(volume.id), args->volume);
    copy_text(volume.name, sizeof(volume.name), args->name);
    if (task_next_thin_id(task, &volume.thin_id, err) < 0)
        return -1;
    put_volume(task, &volume);
    struct plan_facts facts = {.volumes = &volume, .volume_count = 1};
    plan_make(plan_volume_create, &facts, &task->plan);
    return 0;
}

/* The lowest device name of the slice that no volume has. */
static int free_slot(const struct task *task, unsigned *slot, struct err *err)
{
    CLEANUP_FREE struct volume *volumes = NULL;
    size_t count;
    task_volumes(task, &volumes, &count);
    *slot = 0;
    for (size_t i = 0; i < count && volumes[i].slot == *slot; i++)
        (*slot)++;
    if (*slot >= SLICE_VOLUMES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "slice %s has %zu volumes attached, the most that it can have", task->slice,
                       count);
    return 0;
}

static int check_slice(const struct task *task, struct err *err)
{
    struct slice slice = {0};
    struct err store_error;
    if (must(store_slice_find(store_of(task), task->slice, &slice, &store_error), &store_error) ==
        0)
        return err_set(err, ERR_SLICE_NOT_FOUND, "there is no slice %s", task->slice);
    bool leaves = slice.state == SLICE_TERMINATING;
    slice_free(&slice);
    return leaves ? err_set(err, ERR_SLICE_STATE, "slice %s is being terminated", task->slice) : 0;
}

/* What is attached there already stays as it is. */
static int prepare_attach(struct task *task, struct volume *volume, struct err *err)
{
    struct capacity capacity;
    struct plan_facts facts = {.volumes = volume, .volume_count = 1};
    if (check_slice(task, err) < 0)
        return -1;
    if (strcmp(volume->slice, task->slice) == 0)
        return 0;
    if (volume->slice[0])
        return err_set(err, ERR_VOLUME_ATTACHED, "volume %s is attached to slice %s", volume->id,
                       volume->slice);
    if (free_slot(task, &volume->slot, err) < 0 ||
        task_disk_capacity(task->tasks, &capacity, err) < 0 ||
        admit_attached_volume(&capacity, err) < 0 ||
        task_find_domain(task, task->slice, &facts, err) < 0)
        return -1;
    plan_make(plan_volume_attach, &facts, &task->plan);
    return 0;
}

static int prepare_detach(struct task *task, struct volume *volume, bool force, struct err *err)
{
    const char *named = task->record.request.slice;
    struct plan_facts facts = {.volumes = volume, .volume_count = 1, .force = force};
    if (!volume->slice[0])
        return 0;
    if (named[0] && strcmp(named, volume->slice) != 0)
        return err_set(err, ERR_VOLUME_ATTACHED, "volume %s is attached to slice %s, not to %s",
                       volume->id, volume->slice, named);
    if (task_find_domain(task, volume->slice, &facts, err) < 0)
        return -1;
    plan_make(plan_volume_detach, &facts, &task->plan);
    return 0;
}

static int admit_growth(const struct task *task, const struct volume *volume, uint64_t size_gib,
                        struct err *err)
{
    struct capacity capacity;
    if (task_disk_capacity(task->tasks, &capacity, err) < 0)
        return -1;
    return admit_disk(&capacity, (size_gib - volume->size_gib) * GIB, "the volume's growth", err);
}

static int prepare_resize(struct task *task, struct volume *volume, uint64_t size_gib,
                          struct err *err)
{
    struct plan_facts facts = {.volumes = volume, .volume_count = 1, .size_gib = size_gib};
    if (size_gib < volume->size_gib)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "volume %s has %llu GiB and cannot become smaller: what is behind %llu GiB "
                       "would be lost",
                       volume->id, (unsigned long long)volume->size_gib,
                       (unsigned long long)size_gib);
    /* The same size again tells a slice that could not be told before. */
    if ((size_gib > volume->size_gib && admit_growth(task, volume, size_gib, err) < 0) ||
        (volume->slice[0] && task_find_domain(task, volume->slice, &facts, err) < 0))
        return -1;
    plan_make(plan_volume_resize, &facts, &task->plan);
    return 0;
}

static int prepare_delete(struct task *task, struct volume *volume, struct err *err)
{
    struct plan_facts facts = {.volumes = volume, .volume_count = 1};
    if (volume->slice[0])
        return err_set(err, ERR_VOLUME_ATTACHED,
                       "volume %s is attached to slice %s: detach it first", volume->id,
                       volume->slice);
    volume->state = VOLUME_DELETING;
    put_volume(task, volume);
    plan_make(plan_volume_delete, &facts, &task->plan);
    return 0;
}

static int volume_prepare(struct task *task, struct slice *none, struct plan_facts *facts,
                          struct err *err)
{
    const struct request *request = &task->record.request;
    struct volume_args args;
    struct volume volume;
    (void)none;
    (void)facts;
    if (volume_parse(request->operation, request->args, &args, err) < 0)
        return -1;
    bool found = find_volume(task, &volume);
    if (request->operation == OP_VOLUME_CREATE)
        return found ? err_set(err, ERR_VOLUME_EXISTS, "volume %s exists already", args.volume)
                     : prepare_create(task, &args, err);
    if (!found)
        return err_set(err, ERR_VOLUME_NOT_FOUND, "there is no volume %s", args.volume);
    if (request->operation == OP_VOLUME_DELETE)
        return prepare_delete(task, &volume, err);
    if (volume.state != VOLUME_READY)
        return err_set(err, ERR_VOLUME_NOT_FOUND,
                       "volume %s is half deleted: all that is left is to delete it again",
                       volume.id);
    if (request->operation == OP_VOLUME_ATTACH)
        return prepare_attach(task, &volume, err);
    if (request->operation == OP_VOLUME_DETACH)
        return prepare_detach(task, &volume, args.force, err);
    return prepare_resize(task, &volume, args.size_gib, err);
}

/* --- While it runs ---------------------------------------------------------------------------- */

/* The larger size is recorded before the device grows: a slice must never find a smaller disk at
 * its next start than it has seen. */
static int resize_begin_step(struct task *task, const struct step *step, struct err *err)
{
    struct volume volume;
    uint64_t size_gib = step->volume.bytes / GIB;
    if (step->kind != STEP_VOLUME_ACTIVATE || !find_volume(task, &volume))
        return 0;
    if (volume.size_gib >= size_gib) { /* a second try: the first may have come to the device */
        json_object_del(task->record.scratch, "size_gib");
        return 0;
    }
    if (admit_growth(task, &volume, size_gib, err) < 0)
        return -1;
    json_object_set_new(task->record.scratch, "size_gib",
                        json_integer((json_int_t)volume.size_gib));
    volume.size_gib = size_gib;
    put_volume(task, &volume);
    return 0;
}

/* --- At its end ------------------------------------------------------------------------------- */

static void attached(const struct task *task, struct volume *volume)
{
    struct err err;
    if (volume->slice[0])
        return; /* it was so before */
    if (task->plan.count > 0)
        volume->slot = task->plan.steps[0].plug.slot;
    else
        must(free_slot(task, &volume->slot, &err), &err);
    copy_text(volume->slice, sizeof(volume->slice), task->slice);
}

static void volume_done(struct task *task, json_t **result)
{
    enum operation operation = task->record.request.operation;
    struct volume_args args;
    struct volume volume;
    struct err err;
    if (!find_volume(task, &volume) ||
        volume_parse(operation, task->record.request.args, &args, &err) < 0)
        return;
    if (operation == OP_VOLUME_DELETE) {
        must(store_volume_delete(store_of(task), volume.id, &err), &err);
        return;
    }
    if (operation == OP_VOLUME_CREATE)
        volume.state = VOLUME_READY;
    else if (operation == OP_VOLUME_ATTACH)
        attached(task, &volume);
    else if (operation == OP_VOLUME_DETACH)
        volume.slice[0] = '\0';
    else
        volume.size_gib = args.size_gib;
    put_volume(task, &volume);
    *result = json_pack("{s:o}", "volume", volume_to_protocol(&volume));
}

static void volume_failed(struct task *task)
{
    enum operation operation = task->record.request.operation;
    json_int_t before = json_integer_value(json_object_get(task->record.scratch, "size_gib"));
    struct volume volume;
    struct err err;
    if (!find_volume(task, &volume))
        return;
    if (operation == OP_VOLUME_CREATE) {
        must(store_volume_delete(store_of(task), volume.id, &err), &err);
    } else if (operation == OP_VOLUME_RESIZE && before > 0 && task->record.step == 0) {
        /* The device has not grown. */
        volume.size_gib = (uint64_t)before;
        put_volume(task, &volume);
    }
}

const struct operation_type operation_volume_create = {
    .traits = OPERATION_OF_VOLUME,
    .prepare = volume_prepare,
    .done = volume_done,
    .failed = volume_failed,
};

const struct operation_type operation_volume_attach = {
    .traits = OPERATION_OF_VOLUME,
    .prepare = volume_prepare,
    .done = volume_done,
    .failed = volume_failed,
};

const struct operation_type operation_volume_detach = {
    .traits = OPERATION_OF_VOLUME,
    .prepare = volume_prepare,
    .done = volume_done,
    .failed = volume_failed,
};

const struct operation_type operation_volume_resize = {
    .traits = OPERATION_OF_VOLUME,
    .prepare = volume_prepare,
    .begin_step = resize_begin_step,
    .done = volume_done,
    .failed = volume_failed,
};

const struct operation_type operation_volume_delete = {
    .traits = OPERATION_OF_VOLUME,
    .prepare = volume_prepare,
    .done = volume_done,
    .failed = volume_failed,
};
