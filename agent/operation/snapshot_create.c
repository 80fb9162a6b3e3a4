/* snapshot.create, with or without the memory of the slice. */
#include "backend/backend.h"
#include "backend/open.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "capacity/admit.h"
#include "model/arguments.h"
#include "model/nic.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "operation/capacity.h"
#include "operation/checkpoint.h"
#include "operation/snapshot.h"
#include "operation/task.h"
#include "operation/thin_id.h"
#include "operation/type.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "plan/snapshot.h"
#include "plan/steps.h"
#include "store/must.h"
#include "store/store.h"

static int create_prepare(struct task *task, struct slice *slice, struct plan_facts *facts,
                          struct err *err)
{
    struct snapshot_args args;
    struct snapshot snapshot = {0};
    if (snapshot_parse(OP_SNAPSHOT_CREATE, task->record.request.args, &args, err) < 0)
        return -1;
    /* A snapshot of a running slice asks for its room with its first step, which is entered with
     * the plan. */
    if ((!facts->domain || args.memory) && snapshot_admit(task, err) < 0)
        return -1;
    if (must(store_snapshot_find(task->tasks->config.store, args.snapshot, &snapshot, err), err) ==
        1)
        return err_set(err, ERR_SNAPSHOT_EXISTS, "snapshot %s exists already", args.snapshot);
    if (task_next_thin_id(task, &snapshot.thin_id, err) < 0)
        return -1;
    if (args.memory && task_prepare_checkpoint(task, slice, facts, &snapshot, err) < 0)
        return -1;
    facts->snapshots = &snapshot;
    facts->snapshot_count = 1;
    plan_make(plan_snapshot, facts, &task->plan);
    return 0;
}

/* The snapshot is entered before it is made, so that its space is promised from here on. */
static int enter_take(struct task *task, const struct step *step, struct err *err)
{
    struct snapshot_args args;
    struct capacity capacity;
    struct err store_error;
    const struct storage *storage = &task->tasks->config.backend->storage;
    uint64_t mapped = output_number(task->record.scratch, "mapped_bytes");
    struct snapshot entered;
    if (snapshot_parse(OP_SNAPSHOT_CREATE, task->record.request.args, &args, err) < 0)
        return -1;
    /* Before a crash, with its space: that is not asked for twice. */
    if (must(store_snapshot_find(task->tasks->config.store, args.snapshot, &entered, &store_error),
             &store_error) == 1)
        return 0;
    if (task_disk_capacity(task->tasks, &capacity, err) < 0 ||
        (step->snapshot.active && capacity.storage &&
         storage->mapped(storage->state, step->snapshot.origin.name, &mapped, err) < 0))
        return -1;
    if (admit_disk(&capacity, mapped, "the snapshot", err) < 0) {
        task->short_bytes = admit_disk_short_bytes(&capacity, mapped);
        return -1;
    }
    struct snapshot snapshot = {.created_ms = wall_ms(),
                                .thin_id = step->snapshot.thin_id,
                                .reserved_bytes = mapped,
                                .size_bytes = step->snapshot.origin.bytes};
    copy_text(snapshot.id, sizeof(snapshot.id), args.snapshot);
    copy_text(snapshot.name, sizeof(snapshot.name), args.name);
    copy_text(snapshot.slice, sizeof(snapshot.slice), task->record.request.slice);
    must(store_snapshot_put(task->tasks->config.store, &snapshot, &store_error), &store_error);
    return 0;
}

static int create_begin_step(struct task *task, const struct step *step, struct err *err)
{
    if (step->kind == STEP_SNAPSHOT_TAKE)
        return enter_take(task, step, err);
    if (step->kind == STEP_MEMORY_SAVE)
        return task_gate_memory(task, step, err);
    return 0;
}

static void taken(struct task *task, const json_t *output)
{
    struct snapshot_args args;
    struct snapshot snapshot;
    struct err err;
    struct store *store = task->tasks->config.store;
    if (snapshot_parse(OP_SNAPSHOT_CREATE, task->record.request.args, &args, &err) < 0 ||
        must(store_snapshot_find(store, args.snapshot, &snapshot, &err), &err) == 0)
        return;
    snapshot.reserved_bytes = output_number(output, "mapped_bytes");
    must(store_snapshot_put(store, &snapshot, &err), &err);
}

static int create_end_step(struct task *task, const struct step *step, const json_t *output,
                           struct err *err)
{
    (void)err;
    if (step->kind == STEP_SNAPSHOT_MEASURE)
        json_object_set(task->record.scratch, "mapped_bytes",
                        json_object_get(output, "mapped_bytes"));
    else if (step->kind == STEP_SNAPSHOT_TAKE)
        taken(task, output);
    else if (step->kind == STEP_MEMORY_SAVE)
        task_memory_saved(task, output);
    else if (step->kind == STEP_CHECKPOINT_TAKE)
        task_checkpoint_taken(task, output);
    return 0;
}

static json_t *snapshot_result(struct task *task)
{
    struct snapshot_args args;
    struct snapshot snapshot;
    struct err err;
    char time[TIME_TEXT_BYTES];
    if (snapshot_parse(OP_SNAPSHOT_CREATE, task->record.request.args, &args, &err) < 0 ||
        store_snapshot_find(task->tasks->config.store, args.snapshot, &snapshot, &err) != 1)
        return NULL;
    time_format(snapshot.created_ms, time);
    return json_pack("{s:{s:s, s:s, s:s, s:b}}", "snapshot", "id", snapshot.id, "name",
                     snapshot.name, "time", time, "memory", snapshot.memory.thin_id != 0);
}

static void create_done(struct task *task, json_t **result)
{
    *result = snapshot_result(task);
}

const struct operation_type operation_snapshot_create = {
    .needs = NEEDS_DOMAIN,
    .prepare = create_prepare,
    .begin_step = create_begin_step,
    .end_step = create_end_step,
    .done = create_done,
    .failed = snapshot_forget,
};
