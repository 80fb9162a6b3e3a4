/* Snapshots with memory: what the parent checks, reserves and records. */
#include "operation/checkpoint.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "capacity/admit.h"
#include "model/arguments.h"
#include "model/nic.h"
#include "model/size.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "operation/capacity.h"
#include "operation/task.h"
#include "operation/thin_id.h"
#include "operation/type.h"
#include "plan/facts.h"
#include "plan/steps.h"
#include "store/must.h"
#include "store/store.h"

#include <stdlib.h>

/* --- Before the request ----------------------------------------------------------------------- */

/* The content of a data volume is of no instant but its own: memory that has a file system of it
 * mounted must not find it changed. */
static int check_volumes(const struct slice *slice, const struct plan_facts *facts, struct err *err)
{
    if (facts->volume_count > 0)
        return err_set(err, ERR_VOLUME_ATTACHED,
                       "slice %s has %zu volumes attached, which a snapshot with memory does not "
                       "hold: detach them first",
                       slice->id, facts->volume_count);
    return 0;
}

int task_prepare_checkpoint(struct task *task, const struct slice *slice,
                            const struct plan_facts *facts, struct snapshot *snapshot,
                            struct err *err)
{
    if (!facts->domain || facts->shut_down || facts->paused)
        return err_set(err, ERR_SLICE_STATE,
                       "slice %s is %s: only a running slice's memory can be saved", slice->id,
                       facts->paused ? "paused" : "stopped");
    if (check_volumes(slice, facts, err) < 0)
        return -1;
    snapshot->memory = (struct saved_memory){.size = admit_domain_size(slice)};
    return task_next_thin_id(task, &snapshot->memory.thin_id, err);
}

/* The slice will run, and is promised its memory from here on. */
int task_prepare_memory_revert(struct task *task, struct slice *slice,
                               const struct plan_facts *facts, struct err *err)
{
    const struct snapshot *snapshot = facts->snapshots;
    struct capacity capacity;
    struct slice restored = task_restored_slice(slice, snapshot);
    if (check_volumes(slice, facts, err) < 0 ||
        tasks_capacity(task->tasks, slice->id, &capacity, err) < 0 ||
        admit_domain(&capacity, &restored, err) < 0)
        return -1;
    if (!slice->desired_running) {
        struct err store_error;
        slice->desired_running = true;
        must(store_slice_put(task->tasks->config.store, slice, &store_error), &store_error);
    }
    return 0;
}

/* --- While it is at work ---------------------------------------------------------------------- */

static bool checkpoint_find(struct task *task, struct snapshot *snapshot)
{
    struct snapshot_args args;
    struct err err;
    return snapshot_parse(OP_SNAPSHOT_CREATE, task->record.request.args, &args, &err) == 0 &&
           must(store_snapshot_find(task->tasks->config.store, args.snapshot, snapshot, &err),
                &err) == 1;
}

static void checkpoint_put(struct task *task, const struct snapshot *snapshot)
{
    struct err err;
    must(store_snapshot_put(task->tasks->config.store, snapshot, &err), &err);
}

static const struct step *step_of(const struct task *task, enum step_kind kind)
{
    for (size_t i = 0; i < task->plan.count; i++)
        if (task->plan.steps[i].kind == kind)
            return &task->plan.steps[i];
    return NULL;
}

/* The snapshot is entered before it is made, so that the space of both its parts is promised from
 * here on. One that is entered already was begun before the agent was killed. */
int task_gate_memory(struct task *task, const struct step *step, struct err *err)
{
    const struct step *take = step_of(task, STEP_CHECKPOINT_TAKE);
    uint64_t mapped = output_number(task->record.scratch, "mapped_bytes");
    struct snapshot snapshot = {.created_ms = wall_ms()};
    struct snapshot_args args;
    struct capacity capacity;
    struct slice slice;
    struct err store_error;
    if (!take || checkpoint_find(task, &snapshot))
        return 0;
    if (snapshot_parse(OP_SNAPSHOT_CREATE, task->record.request.args, &args, err) < 0 ||
        task_disk_capacity(task->tasks, &capacity, err) < 0)
        return -1;
    if (admit_disk(&capacity, mapped + step->volume.bytes, "the snapshot with the slice's memory",
                   err) < 0) {
        task->short_bytes = admit_disk_short_bytes(&capacity, mapped + step->volume.bytes);
        return -1;
    }
    if (must(store_slice_find(task->tasks->config.store, task->record.request.slice, &slice,
                              &store_error),
             &store_error) != 1)
        return -1;
    snapshot.thin_id = take->snapshot.thin_id;
    snapshot.size_bytes = take->snapshot.origin.bytes;
    snapshot.reserved_bytes = mapped + step->volume.bytes;
    snapshot.memory =
        (struct saved_memory){.thin_id = step->volume.thin_id, .size = admit_domain_size(&slice)};
    copy_text(snapshot.id, sizeof(snapshot.id), args.snapshot);
    copy_text(snapshot.name, sizeof(snapshot.name), args.name);
    copy_text(snapshot.slice, sizeof(snapshot.slice), slice.id);
    slice_free(&slice);
    checkpoint_put(task, &snapshot);
    return 0;
}

/* The slice stands still: this is the instant that the snapshot is of. */
void task_memory_saved(struct task *task, const json_t *output)
{
    const char *crc = json_string_value(json_object_get(output, "memory_crc"));
    struct snapshot snapshot;
    if (!checkpoint_find(task, &snapshot))
        return;
    snapshot.created_ms = wall_ms();
    snapshot.memory.mark = (struct memory_mark){.bytes = output_number(output, "memory_bytes"),
                                                .crc = crc ? strtoull(crc, NULL, 16) : 0};
    json_object_set(task->record.scratch, "memory_mapped_bytes",
                    json_object_get(output, "mapped_bytes"));
    checkpoint_put(task, &snapshot);
}

void task_checkpoint_taken(struct task *task, const json_t *output)
{
    struct snapshot snapshot;
    if (!checkpoint_find(task, &snapshot))
        return;
    snapshot.reserved_bytes = output_number(output, "mapped_bytes") +
                              output_number(task->record.scratch, "memory_mapped_bytes");
    checkpoint_put(task, &snapshot);
}

/* With its memory the slice gets back the shape that it had. */
void task_memory_swapped(struct task *task, struct slice *slice)
{
    struct snapshot snapshot;
    if (!task_find_reverted(task, &snapshot) || !snapshot.memory.thin_id)
        return;
    slice_set_size(slice, &snapshot.memory.size);
}

/* A stopped slice whose revert was taken back, from before its disk was swapped, stays what it
 * was. */
void task_revert_failed(struct task *task)
{
    struct slice slice;
    struct err err;
    if (task->record.step > 0 || !step_of(task, STEP_MEMORY_CHECK) ||
        must(store_slice_find(task->tasks->config.store, task->record.request.slice, &slice, &err),
             &err) != 1)
        return;
    if (slice.state == SLICE_STOPPED && slice.domain_id < 0) {
        slice.desired_running = false;
        must(store_slice_put(task->tasks->config.store, &slice, &err), &err);
    }
    slice_free(&slice);
}
