/* snapshot.export: what is checked before, who waits for whom, and the answer. */
#include "operation/export.h"

#include "base/err.h"
#include "base/memory.h"
#include "model/export.h"
#include "model/snapshot.h"
#include "operation/task.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "step/worker.h"
#include "store/must.h"
#include "store/store.h"

#include <string.h>

static int find(struct task *task, const char *id, struct snapshot *snapshot, struct err *err)
{
    const char *slice = task->record.request.slice;
    int found = must(store_snapshot_find(task->tasks->config.store, id, snapshot, err), err);
    if (!found || strcmp(snapshot->slice, slice) != 0)
        return err_set(err, ERR_SNAPSHOT_NOT_FOUND, "slice %s has no snapshot %s", slice, id);
    return 0;
}

static int check(const struct task *task, const struct export_args *args,
                 const struct snapshot *snapshot, const struct snapshot *since, struct err *err)
{
    if (!args->url[0] && task->output < 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "url: where the snapshot is sent to must be said");
    if (args->format == EXPORT_VHD && snapshot->size_bytes > EXPORT_VHD_LIMIT_BYTES)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "format \"vhd\" holds disks of 2040 GiB at most, this one has %llu",
                       (unsigned long long)(snapshot->size_bytes / GIB));
    if (since && since->thin_id > snapshot->thin_id) /* numbers only go up, clocks do not */
        return err_set(err, ERR_INVALID_ARGUMENT, "since: snapshot %s is newer than %s", since->id,
                       snapshot->id);
    return 0;
}

int task_prepare_export(struct task *task, struct err *err)
{
    struct export_args args;
    struct snapshot snapshot, since;
    struct plan_facts facts = {.snapshots = &snapshot, .snapshot_count = 1};
    if (export_parse(task->record.request.args, &args, err) < 0 ||
        find(task, args.snapshot, &snapshot, err) < 0 ||
        (args.since[0] && find(task, args.since, &since, err) < 0))
        return -1;
    facts.since = args.since[0] ? &since : NULL;
    if (check(task, &args, &snapshot, facts.since, err) < 0)
        return -1;
    plan_make(OP_SNAPSHOT_EXPORT, &facts, &task->plan);
    return 0;
}

bool task_load_export(struct task *task, struct worker_export *export)
{
    const struct store *store = task->tasks->config.store;
    struct err err;
    if (!task_is_export(task) || export_parse(task->record.request.args, &export->args, &err) < 0 ||
        must(store_snapshot_find((struct store *)(uintptr_t)store, export->args.snapshot,
                                 &export->snapshot, &err),
             &err) == 0)
        return false;
    return true;
}

json_t *task_export_result(struct task *task)
{
    struct export_args args;
    struct err err;
    json_t *sent = json_object_get(task->record.scratch, "export");
    if (export_parse(task->record.request.args, &args, &err) < 0 || !json_is_object(sent))
        return NULL;
    json_t *result =
        json_pack("{s:s, s:o, s:s, s:s}", "snapshot", args.snapshot, "since",
                  args.since[0] ? json_string(args.since) : json_null(), "format",
                  export_format_name(&args), "compression", export_compression_name(&args));
    json_object_update(result, sent);
    return result;
}
