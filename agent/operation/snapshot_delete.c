/* snapshot.delete. */
#include "base/err.h"
#include "model/arguments.h"
#include "model/nic.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "operation/snapshot.h"
#include "operation/task.h"
#include "operation/type.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "plan/snapshot.h"

static int delete_prepare(struct task *task, struct slice *slice, struct plan_facts *facts,
                          struct err *err)
{
    struct snapshot_args args;
    struct snapshot snapshot;
    if (snapshot_parse(OP_SNAPSHOT_DELETE, task->record.request.args, &args, err) < 0 ||
        snapshot_find(task, slice, args.snapshot, &snapshot, err) < 0)
        return -1;
    facts->snapshots = &snapshot;
    facts->snapshot_count = 1;
    plan_make(plan_snapshot_delete, facts, &task->plan);
    return 0;
}

static void delete_done(struct task *task, json_t **result)
{
    (void)result;
    snapshot_forget(task);
}

const struct operation_type operation_snapshot_delete = {
    .traits = OPERATION_REMOVES_SNAPSHOT,
    .needs = NEEDS_DOMAIN,
    .prepare = delete_prepare,
    .done = delete_done,
};
