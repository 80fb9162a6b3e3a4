/* snapshot.revert: to the disk alone, or with the memory. */
#include "base/err.h"
#include "model/arguments.h"
#include "model/nic.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "operation/capacity.h"
#include "operation/checkpoint.h"
#include "operation/slice.h"
#include "operation/snapshot.h"
#include "operation/task.h"
#include "operation/thin_id.h"
#include "operation/type.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "plan/snapshot.h"
#include "step/worker.h"

static int revert_prepare(struct task *task, struct slice *slice, struct plan_facts *facts,
                          struct err *err)
{
    struct snapshot_args args;
    struct snapshot snapshot;
    if (snapshot_parse(OP_SNAPSHOT_REVERT, task->record.request.args, &args, err) < 0 ||
        snapshot_admit(task, err) < 0 ||
        snapshot_find(task, slice, args.snapshot, &snapshot, err) < 0)
        return -1;
    facts->snapshots = &snapshot;
    facts->snapshot_count = 1;
    if (facts->domain && !facts->shut_down && !args.restart)
        return err_set(err, ERR_SLICE_RUNNING, "slice %s is %s: stop it first, or ask with restart",
                       slice->id, facts->paused ? "paused" : "running");
    if (snapshot.memory.thin_id && task_prepare_memory_revert(task, slice, facts, err) < 0)
        return -1;
    if (task_next_thin_id(task, &facts->new_disk_id, err) < 0)
        return -1;
    plan_make(plan_revert, facts, &task->plan);
    return 0;
}

static void revert_load(struct task *task, struct worker_more *more)
{
    more->has_snapshot = task_find_reverted(task, &more->snapshot);
}

static void revert_failed(struct task *task)
{
    task_revert_failed(task);
    slice_failed(task);
}

const struct operation_type operation_snapshot_revert = {
    .traits = OPERATION_READS_SNAPSHOT,
    .needs = NEEDS_DOMAIN,
    .prepare = revert_prepare,
    .end_step = slice_end_step,
    .done = slice_done,
    .failed = revert_failed,
    .load = revert_load,
};
