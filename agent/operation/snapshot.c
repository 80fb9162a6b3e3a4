/* Snapshots: what is checked before, what the store learns, and the end. */
#include "operation/snapshot.h"

#include "backend/backend.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "capacity/admit.h"
#include "model/arguments.h"
#include "model/nic.h"
#include "model/request.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "operation/capacity.h"
#include "operation/checkpoint.h"
#include "operation/task.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "plan/steps.h"
#include "store/must.h"
#include "store/store.h"

#include <string.h>

static int find_snapshot(struct task *task, const struct slice *slice, const char *id,
                         struct snapshot *snapshot, struct err *err)
{
    int found = must(store_snapshot_find(task->tasks->config.store, id, snapshot, err), err);
    if (!found || strcmp(snapshot->slice, slice->id) != 0)
        return err_set(err, ERR_SNAPSHOT_NOT_FOUND, "slice %s has no snapshot %s", slice->id, id);
    return 0;
}

int snapshot_prepare(struct task *task, struct slice *slice, struct plan_facts *facts,
                     struct err *err)
{
    enum operation operation = task->record.request.operation;
    struct snapshot_args args;
    struct snapshot snapshot = {0};
    struct capacity capacity;
    if (snapshot_parse(operation, task->record.request.args, &args, err) < 0)
        return -1;
    /* A snapshot of a running slice asks for its room with its first step, which is entered with the plan. */
    bool asks_later = operation == OP_SNAPSHOT_CREATE && facts->domain && !args.memory;
    if (operation != OP_SNAPSHOT_DELETE && !asks_later &&
        (task_disk_capacity(task->tasks, &capacity, err) < 0 || admit_pool(&capacity, err) < 0))
        return -1;
    facts->snapshots = &snapshot;
    facts->snapshot_count = 1;
    if (operation == OP_SNAPSHOT_CREATE) {
        if (must(store_snapshot_find(task->tasks->config.store, args.snapshot, &snapshot, err),
                 err) == 1)
            return err_set(err, ERR_SNAPSHOT_EXISTS, "snapshot %s exists already", args.snapshot);
        snapshot.thin_id = task_next_thin_id(task);
        if (args.memory && task_prepare_checkpoint(task, slice, facts, &snapshot, err) < 0)
            return -1;
    } else if (find_snapshot(task, slice, args.snapshot, &snapshot, err) < 0) {
        return -1;
    }
    if (operation == OP_SNAPSHOT_REVERT) {
        if (facts->domain && !facts->shut_down && !args.restart)
            return err_set(err, ERR_SLICE_RUNNING,
                           "slice %s is %s: stop it first, or ask with restart", slice->id,
                           facts->paused ? "paused" : "running");
        if (snapshot.memory.thin_id && task_prepare_memory_revert(task, slice, facts, err) < 0)
            return -1;
        facts->new_disk_id = task_next_thin_id(task);
    }
    plan_make(operation, facts, &task->plan);
    return 0;
}

/* The snapshot is entered before it is made, so that its space is promised from here on. */
int snapshot_enter_take(struct task *task, const struct step *step, struct err *err)
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
        (step->flag && capacity.storage &&
         storage->mapped(storage->state, step->name, &mapped, err) < 0))
        return -1;
    if (admit_disk(&capacity, mapped, "the snapshot", err) < 0) {
        task->short_bytes = admit_disk_short_bytes(&capacity, mapped);
        return -1;
    }
    struct snapshot snapshot = {.created_ms = wall_ms(),
                                .thin_id = step->thin_id,
                                .reserved_bytes = mapped,
                                .size_bytes = step->bytes};
    copy_text(snapshot.id, sizeof(snapshot.id), args.snapshot);
    copy_text(snapshot.name, sizeof(snapshot.name), args.name);
    copy_text(snapshot.slice, sizeof(snapshot.slice), task->record.request.slice);
    must(store_snapshot_put(task->tasks->config.store, &snapshot, &store_error), &store_error);
    return 0;
}

void snapshot_taken(struct task *task, const json_t *output)
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

void snapshot_forget(struct task *task)
{
    struct snapshot_args args;
    struct err err;
    if (snapshot_parse(task->record.request.operation, task->record.request.args, &args, &err) == 0)
        must(store_snapshot_delete(task->tasks->config.store, args.snapshot, &err), &err);
}

json_t *snapshot_result(struct task *task)
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
