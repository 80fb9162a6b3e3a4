/* slice.terminate: all that the slice has goes with it. */
#include "backend/open.h"
#include "base/err.h"
#include "model/nic.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "operation/slice.h"
#include "operation/task.h"
#include "operation/type.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "plan/slice.h"
#include "store/must.h"
#include "store/store.h"

#include <stdlib.h>

static int terminate_prepare(struct task *task, struct slice *slice, struct plan_facts *facts,
                             struct err *err)
{
    struct snapshot *snapshots;
    struct err store_error;
    (void)err;
    slice->state = SLICE_TERMINATING;
    slice->desired_running = false;
    task_slice_put(task, slice);
    must(store_snapshots(task->tasks->config.store, slice->id, &snapshots, &facts->snapshot_count,
                         &store_error),
         &store_error);
    facts->snapshots = snapshots;
    plan_make(plan_terminate, facts, &task->plan);
    free(snapshots);
    return 0;
}

static void terminate_done(struct task *task, json_t **result)
{
    struct store *store = task->tasks->config.store;
    const char *slice = task->record.request.slice;
    struct snapshot *snapshots;
    size_t count;
    struct err err;
    (void)result;
    must(store_snapshots(store, slice, &snapshots, &count, &err), &err);
    for (size_t i = 0; i < count; i++)
        must(store_snapshot_delete(store, snapshots[i].id, &err), &err);
    free(snapshots);
    must(store_slice_delete(store, slice, &err), &err);
}

const struct operation_type operation_slice_terminate = {
    .traits = OPERATION_NO_ARGUMENTS | OPERATION_REMOVES_SLICE | OPERATION_REMOVES_SNAPSHOT,
    .needs = NEEDS_DOMAIN,
    .prepare = terminate_prepare,
    .end_step = slice_end_step,
    .done = terminate_done,
    .failed = slice_failed,
};
