/* What operations on snapshots have in common. */
#include "operation/snapshot.h"

#include "base/err.h"
#include "capacity/admit.h"
#include "model/arguments.h"
#include "model/nic.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "operation/capacity.h"
#include "operation/task.h"
#include "operation/type.h"
#include "store/must.h"
#include "store/store.h"

#include <string.h>

int snapshot_find(struct task *task, const struct slice *slice, const char *id,
                  struct snapshot *snapshot, struct err *err)
{
    int found = must(store_snapshot_find(task->tasks->config.store, id, snapshot, err), err);
    if (!found || strcmp(snapshot->slice, slice->id) != 0)
        return err_set(err, ERR_SNAPSHOT_NOT_FOUND, "slice %s has no snapshot %s", slice->id, id);
    return 0;
}

int snapshot_admit(struct task *task, struct err *err)
{
    struct capacity capacity;
    if (task_disk_capacity(task->tasks, &capacity, err) < 0)
        return -1;
    return admit_pool(&capacity, err);
}

void snapshot_forget(struct task *task)
{
    struct snapshot_args args;
    struct err err;
    if (snapshot_parse(task->record.request.operation, task->record.request.args, &args, &err) == 0)
        must(store_snapshot_delete(task->tasks->config.store, args.snapshot, &err), &err);
}
