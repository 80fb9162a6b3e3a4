/* snapshot.export: what is checked before, who waits for whom, and the answer. */
#include "model/export.h"
#include "base/err.h"
#include "base/memory.h"
#include "model/nic.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "operation/snapshot.h"
#include "operation/task.h"
#include "operation/type.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "plan/snapshot.h"
#include "plan/steps.h"
#include "step/worker.h"
#include "store/must.h"
#include "store/store.h"

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

static int export_prepare(struct task *task, struct slice *slice, struct plan_facts *facts,
                          struct err *err)
{
    struct export_args args;
    struct snapshot snapshot, since;
    facts->snapshots = &snapshot;
    facts->snapshot_count = 1;
    if (export_parse(task->record.request.args, &args, err) < 0 ||
        snapshot_find(task, slice, args.snapshot, &snapshot, err) < 0 ||
        (args.since[0] && snapshot_find(task, slice, args.since, &since, err) < 0))
        return -1;
    facts->since = args.since[0] ? &since : NULL;
    if (check(task, &args, &snapshot, facts->since, err) < 0)
        return -1;
    plan_make(plan_export, facts, &task->plan);
    return 0;
}

static void export_load(struct task *task, struct worker_more *more)
{
    struct err err;
    more->has_export = export_parse(task->record.request.args, &more->export, &err) == 0 &&
                       must(store_snapshot_find(task->tasks->config.store, more->export.snapshot,
                                                &more->snapshot, &err),
                            &err) == 1;
    more->has_snapshot = more->has_export;
}

static int export_end_step(struct task *task, const struct step *step, const json_t *output,
                           struct err *err)
{
    (void)err;
    if (step->kind == STEP_SNAPSHOT_EXPORT)
        json_object_set(task->record.scratch, "export", (json_t *)(uintptr_t)output);
    return 0;
}

static json_t *export_result(struct task *task)
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

static void export_done(struct task *task, json_t **result)
{
    *result = export_result(task);
}

const struct operation_type operation_snapshot_export = {
    .traits = OPERATION_READS_SNAPSHOT | OPERATION_SENDS,
    .needs = NEEDS_DOMAIN,
    .prepare = export_prepare,
    .end_step = export_end_step,
    .done = export_done,
    .load = export_load,
};
