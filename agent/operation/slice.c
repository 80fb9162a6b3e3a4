/* What operations on a slice have in common. */
#include "operation/slice.h"

#include "backend/backend.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "capacity/admit.h"
#include "model/nic.h"
#include "model/request.h"
#include "model/size.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "operation/capacity.h"
#include "operation/checkpoint.h"
#include "operation/slice_result.h"
#include "operation/task.h"
#include "operation/type.h"
#include "plan/facts.h"
#include "plan/steps.h"
#include "store/must.h"
#include "store/store.h"

#include <string.h>

/* --- Before ----------------------------------------------------------------------------------- */

int task_find_domain(struct task *task, const char *slice, struct plan_facts *facts,
                     struct err *err)
{
    struct hypervisor *hypervisor = &task->tasks->config.backend->hypervisor;
    struct domain_info domain;
    int found = hypervisor->domain_find(hypervisor->state, slice, &domain, err);
    if (found <= 0)
        return found;
    facts->domain = true;
    facts->shut_down = domain.state == DOMAIN_SHUTDOWN || domain.state == DOMAIN_DYING;
    facts->paused = domain.state == DOMAIN_PAUSED;
    return 0;
}

static bool is_started(const struct task *task, const char *slice)
{
    for (const struct task *other = task->tasks->first; other; other = other->next)
        if (other != task && other->prepared &&
            !task_has(other, OPERATION_LOOKS | OPERATION_SENDS) &&
            strcmp(other->record.request.slice, slice) == 0)
            return true;
    return false;
}

/* What the node starts by itself was promised its memory before. When a machine has come back with
 * less, the promises do not fit any more: then those that come first get it. */
static void count_started(struct task *task, struct capacity *capacity)
{
    const struct slice *const *slices;
    size_t count;
    struct err err;
    must(store_slices(task->tasks->config.store, &slices, &count, &err), &err);
    capacity->memory_promised_mib = 0;
    capacity->dom0_slices_kib = 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(slices[i]->id, task->record.request.slice) != 0 &&
            (slices[i]->domain_id >= 0 || is_started(task, slices[i]->id)))
            admit_promise_memory(capacity, slices[i]);
    capacity->memory_promised_mib +=
        task_reverts_memory_mib(task->tasks, task->record.request.slice);
}

int slice_admit_start(struct task *task, const struct slice *slice, struct err *err)
{
    struct capacity capacity;
    if (tasks_capacity(task->tasks, slice->id, &capacity, err) < 0)
        return -1;
    if (!capacity.storage)
        return err_set(err, ERR_STORAGE_MISSING, "the node has no storage");
    if (!task->record.internal)
        return admit_domain(&capacity, slice, err);
    count_started(task, &capacity);
    if (admit_memory(&capacity, slice, err) < 0)
        return -1;
    /* What ran under an image that counted less of dom0, or in a larger dom0, runs again. */
    struct err warning;
    if (admit_back_ends(&capacity, slice, &warning) < 0)
        log_warning("slice %s is started all the same: %s", slice->id, warning.message);
    return 0;
}

/* What the node does by itself changes neither what is wanted nor what went wrong. */
void slice_wish(struct task *task, struct slice *slice, bool running)
{
    if (task->record.internal)
        return;
    slice->desired_running = running;
    slice->error = (struct err){0};
    task_slice_put(task, slice);
}

/* --- While it runs ---------------------------------------------------------------------------- */

static void domain_started(struct task *task, int domain_id)
{
    struct slice slice;
    if (!task_slice_find(task, &slice))
        return;
    slice.domain_id = domain_id;
    slice.domain = domain_id < 0 ? (struct domain_size){0} : slice_size(&slice);
    task_slice_put(task, &slice);
    slice_free(&slice);
}

static void disk_swapped(struct task *task, uint32_t thin_id)
{
    struct slice slice;
    if (!task_slice_find(task, &slice))
        return;
    /* Until it is removed; a request that fails before must not forget it. */
    if (slice.disk_thin_id != thin_id)
        json_object_set_new(task->record.scratch, "replaced",
                            json_integer((json_int_t)slice.disk_thin_id));
    slice.disk_thin_id = thin_id;
    task_memory_swapped(task, &slice);
    task_slice_put(task, &slice);
    slice_free(&slice);
}

static void volume_removed(struct task *task, uint32_t thin_id)
{
    if (output_number(task->record.scratch, "replaced") == thin_id)
        json_object_del(task->record.scratch, "replaced");
}

int slice_end_step(struct task *task, const struct step *step, const json_t *output,
                   struct err *err)
{
    (void)err;
    switch (step->kind) {
    case STEP_DOMAIN_START:
        domain_started(task, (int)output_number(output, "domain_id"));
        break;
    case STEP_DOMAIN_RUN:
        domain_started(task, (int)json_integer_value(json_object_get(output, "domain_id")));
        break;
    case STEP_DOMAIN_DESTROY:
        domain_started(task, -1);
        break;
    case STEP_DISK_SWAP:
        disk_swapped(task, step->volume.thin_id);
        break;
    case STEP_VOLUME_REMOVE:
        volume_removed(task, step->volume.thin_id);
        break;
    case STEP_DOMAIN_WAIT:
        json_object_set(task->record.scratch, "forced", json_object_get(output, "forced"));
        break;
    default:
        break;
    }
    return 0;
}

/* --- Carried out ------------------------------------------------------------------------------ */

static bool has_step(const struct task *task, enum step_kind kind)
{
    for (size_t i = 0; i < task->plan.count; i++)
        if (task->plan.steps[i].kind == kind)
            return true;
    return false;
}

void slice_done(struct task *task, json_t **result)
{
    enum operation operation = task->record.request.operation;
    const char *reason = task->record.internal ? "restarted" : "requested";
    struct slice slice;
    if (task->plan.count > 0 && task_slice_find(task, &slice)) {
        if (operation == OP_SNAPSHOT_REVERT) {
            enum slice_state state =
                has_step(task, STEP_DOMAIN_START) || has_step(task, STEP_DOMAIN_RUN) ? SLICE_RUNNING
                : slice.state == SLICE_FAILED                                        ? SLICE_FAILED
                                              : SLICE_STOPPED;
            if (has_step(task, STEP_DOMAIN_RUN))
                slice.error = (struct err){0};
            slice_set_state(task, &slice, state, "reverted");
        } else if (operation == OP_SLICE_PAUSE) {
            slice_set_state(task, &slice, SLICE_PAUSED, reason);
        } else if (has_step(task, STEP_DOMAIN_START) || operation == OP_SLICE_START ||
                   operation == OP_SLICE_UNPAUSE) {
            slice.error = (struct err){0};
            slice_set_state(task, &slice, SLICE_RUNNING, reason);
        } else {
            /* A slice that the node stops because of an error has failed. */
            slice.domain_id = -1;
            slice_set_state(
                task, &slice, slice.error.code == ERR_NONE ? SLICE_STOPPED : SLICE_FAILED,
                slice.error.code == ERR_NONE ? (task->record.internal ? "powered_off" : "requested")
                                             : "failed");
        }
    }
    *result = task_slice_result(task);
    json_t *forced = json_object_get(task->record.scratch, "forced");
    if (*result && forced)
        *result = json_pack("{s:o, s:O}", "slice", *result, "forced", forced);
    else if (*result)
        *result = json_pack("{s:o}", "slice", *result);
}

/* --- Not carried out -------------------------------------------------------------------------- */

/* A disk that was replaced and could not be removed becomes a snapshot: it is seen, counted, and
 * goes with snapshot.delete or the slice. */
static void keep_replaced(struct task *task, const struct slice *slice)
{
    struct err err;
    json_int_t thin_id = json_integer_value(json_object_get(task->record.scratch, "replaced"));
    struct snapshot snapshot = {.created_ms = wall_ms(),
                                .thin_id = (uint32_t)thin_id,
                                .reserved_bytes = slice->disk_gib * GIB,
                                .size_bytes = slice->disk_gib * GIB};
    if (thin_id <= 0)
        return;
    copy_text(snapshot.id, sizeof(snapshot.id), task->record.request.id);
    copy_text(snapshot.slice, sizeof(snapshot.slice), slice->id);
    copy_text(snapshot.name, sizeof(snapshot.name), "before-revert");
    must(store_snapshot_put(task->tasks->config.store, &snapshot, &err), &err);
}

/* Whether its domain is there decides what a slice is now. */
void slice_failed(struct task *task)
{
    struct slice slice;
    if (!task_slice_find(task, &slice))
        return;
    const json_t *desired = json_object_get(task->record.scratch, "desired_running");
    bool cancelled = task->record.error.code == ERR_CANCELLED;
    keep_replaced(task, &slice);
    if (!cancelled)
        slice.error = task->record.error;
    else if (json_is_boolean(desired))
        slice.desired_running = json_is_true(desired);
    if (slice.domain_id >= 0) /* paused when it was; the watch of domains looks after this */
        slice_set_state(task, &slice, slice.state == SLICE_PAUSED ? SLICE_PAUSED : SLICE_RUNNING,
                        "failed");
    else if (slice.desired_running || slice.state == SLICE_TERMINATING)
        slice_set_state(task, &slice, cancelled ? SLICE_STOPPED : SLICE_FAILED, "failed");
    else
        slice_set_state(task, &slice, SLICE_STOPPED, "failed");
}
