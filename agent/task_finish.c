/* The end of a request: the slice's state, what is forgotten, and the answer. */
#include "task_internal.h"

#include "console.h"
#include "log.h"
#include "must.h"

#include <stdlib.h>
#include <string.h>

#define CONSOLE_EVENT_BYTES 4096
#define CONSOLE_ANSWER_BYTES (2u << 20)

static bool find_slice(struct task *task, struct slice *slice)
{
    struct err err;
    memset(slice, 0, sizeof(*slice));
    return must(
               store_slice_find(task->tasks->config.store, task->record.request.slice, slice, &err),
               &err) == 1;
}

/* Enters the slice's new state and tells it; `slice` is released. */
static void set_state(struct task *task, struct slice *slice, enum slice_state state,
                      const char *reason)
{
    struct err err;
    CLEANUP_FREE char *console = NULL;
    bool truncated;
    slice->state = state;
    /* Why a slice has failed often stands on its console. */
    if (state == SLICE_FAILED && slice->error.code != ERR_NONE &&
        console_tail(task->tasks->config.paths.console_dir, slice->id, CONSOLE_EVENT_BYTES,
                     &console, &truncated, NULL) < 0)
        console = NULL;
    must(store_slice_put(task->tasks->config.store, slice, &err), &err);
    json_t *result = json_pack("{s:s, s:s, s:s}", "state", slice_state_name(state), "desired",
                               slice->desired_running ? "running" : "stopped", "reason", reason);
    outbox_add(task->tasks->config.outbox,
               EVENT(.type = "slice.state",
                     .request = task->record.internal ? NULL : task->record.request.id,
                     .slice = slice->id, .result = result, .error = &slice->error,
                     .console = console));
    json_decref(result);
    log_notice("slice %s %s", slice->name, slice_state_name(state));
    slice_free(slice);
}

/* --- Answers without steps ----------------------------------------------------------------------- */

static int answer_console(struct task *task, json_t **result, struct err *err)
{
    struct console_args args;
    bool truncated = false;
    if (console_parse(task->record.request.args, &args, err) < 0)
        return -1;
    for (unsigned bytes = args.bytes;; bytes /= 2) {
        CLEANUP_FREE char *text = NULL;
        if (console_tail(task->tasks->config.paths.console_dir, task->record.request.slice, bytes,
                         &text, &truncated, err) < 0) {
            if (args.follow_seconds == 0)
                return -1;
            text = xstrdup(""); /* nothing was said all the time, or the slice has gone */
        }
        *result = json_pack("{s:s, s:b}", "console", text, "truncated", truncated);
        /* Control characters grow sixfold in JSON; the answer must fit in a message. */
        if (json_dumpb(*result, NULL, 0, JSON_COMPACT) <= CONSOLE_ANSWER_BYTES)
            return 0;
        json_decref(*result);
        *result = NULL;
    }
}

int task_answer(struct task *task, json_t **result, struct err *err)
{
    const struct tasks_config *config = &task->tasks->config;
    switch (task->record.request.operation) {
    case OP_SLICE_CONSOLE:
        return answer_console(task, result, err);
    case OP_NODE_REPORT:
        if (json_object_size(task->record.request.args) > 0)
            return err_set(err, ERR_UNKNOWN_FIELD, "node.report takes no arguments");
        *result = config->report(config->context);
        return 0;
    case OP_NODE_DRAIN:
        return task_answer_drain(task, result, err);
    default:
        return 0;
    }
}

/* --- Carried out ---------------------------------------------------------------------------------- */

json_t *task_slice_result(struct task *task)
{
    struct slice slice;
    struct snapshot *snapshots;
    size_t count;
    struct err err;
    if (!find_slice(task, &slice))
        return NULL;
    must(store_snapshots(task->tasks->config.store, slice.id, &snapshots, &count, &err), &err);
    json_t *result = slice_to_protocol(&slice, snapshots, count);
    free(snapshots);
    slice_free(&slice);
    return result;
}

static bool has_step(const struct task *task, enum step_kind kind)
{
    for (size_t i = 0; i < task->plan.count; i++)
        if (task->plan.steps[i].kind == kind)
            return true;
    return false;
}

static void done_slice(struct task *task, json_t **result)
{
    enum operation operation = task->record.request.operation;
    const char *reason = task->record.internal ? "restarted" : "requested";
    struct slice slice;
    if (task->plan.count > 0 && find_slice(task, &slice)) {
        if (operation == OP_SNAPSHOT_REVERT) {
            enum slice_state state =
                has_step(task, STEP_DOMAIN_START) || has_step(task, STEP_DOMAIN_RUN) ? SLICE_RUNNING
                : slice.state == SLICE_FAILED                                        ? SLICE_FAILED
                                              : SLICE_STOPPED;
            if (has_step(task, STEP_DOMAIN_RUN))
                slice.error = (struct err){0};
            set_state(task, &slice, state, "reverted");
        } else if (operation == OP_SLICE_PAUSE) {
            set_state(task, &slice, SLICE_PAUSED, reason);
        } else if (has_step(task, STEP_DOMAIN_START) || operation == OP_SLICE_START ||
                   operation == OP_SLICE_UNPAUSE) {
            slice.error = (struct err){0};
            set_state(task, &slice, SLICE_RUNNING, reason);
        } else {
            /* A slice that the node stops because of an error has failed. */
            slice.domain_id = -1;
            set_state(task, &slice, slice.error.code == ERR_NONE ? SLICE_STOPPED : SLICE_FAILED,
                      slice.error.code == ERR_NONE
                          ? (task->record.internal ? "powered_off" : "requested")
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

static void done_terminate(struct task *task)
{
    struct store *store = task->tasks->config.store;
    const char *slice = task->record.request.slice;
    struct snapshot *snapshots;
    size_t count;
    struct err err;
    must(store_snapshots(store, slice, &snapshots, &count, &err), &err);
    for (size_t i = 0; i < count; i++)
        must(store_snapshot_delete(store, snapshots[i].id, &err), &err);
    free(snapshots);
    must(store_slice_delete(store, slice, &err), &err);
}

static void forget_snapshot(struct task *task)
{
    struct snapshot_args args;
    struct err err;
    if (snapshot_parse(task->record.request.operation, task->record.request.args, &args, &err) == 0)
        must(store_snapshot_delete(task->tasks->config.store, args.snapshot, &err), &err);
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

static void forget_image(struct task *task, const char *state, const struct err *error)
{
    struct err err;
    must(store_image_delete(task->tasks->config.store, task->image, &err), &err);
    json_t *result = json_pack("{s:s, s:s}", "id", task->image, "state", state);
    if (task->record.internal)
        json_object_set_new(result, "reason", json_string("collected"));
    outbox_add(task->tasks->config.outbox,
               EVENT(.type = "image.state",
                     .request = task->record.internal ? NULL : task->record.request.id,
                     .result = result, .error = error));
    json_decref(result);
}

void task_apply_done(struct task *task, json_t **result)
{
    switch (task->record.request.operation) {
    case OP_SLICE_PROVISION:
    case OP_SLICE_START:
    case OP_SLICE_STOP:
    case OP_SLICE_REBOOT:
    case OP_SLICE_PAUSE:
    case OP_SLICE_UNPAUSE:
    case OP_SNAPSHOT_REVERT:
        done_slice(task, result);
        break;
    case OP_SLICE_RESIZE:
        task_apply_resize_done(task, result);
        break;
    case OP_SLICE_TERMINATE:
        done_terminate(task);
        break;
    case OP_SNAPSHOT_CREATE:
        *result = snapshot_result(task);
        break;
    case OP_SNAPSHOT_DELETE:
        forget_snapshot(task);
        break;
    case OP_NODE_REBOOT:
        *result = json_pack("{s:s}", "boot_id", task->tasks->config.boot_id);
        break;
    case OP_SNAPSHOT_EXPORT:
        *result = task_export_result(task);
        break;
    case OP_IMAGE_DELETE:
        forget_image(task, "deleted", NULL);
        break;
    default:
        if (task_is_of_volume(task))
            task_done_volume(task, result);
        break;
    }
}

/* --- Not carried out ------------------------------------------------------------------------------- */

static void failed_provision(struct task *task)
{
    struct slice slice;
    struct image image;
    struct err err;
    if (find_slice(task, &slice)) {
        must(store_slice_delete(task->tasks->config.store, slice.id, &err), &err);
        slice_free(&slice);
    }
    if (must(store_image_find(task->tasks->config.store, task->image, &image, &err), &err) == 1 &&
        !image.ready)
        forget_image(task, "failed", &task->record.error);
}

/* A disk that was replaced and could not be removed becomes a snapshot: it is seen, counted, and goes
 * with snapshot.delete or the slice. */
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
static void failed_slice(struct task *task)
{
    struct slice slice;
    if (!find_slice(task, &slice))
        return;
    const json_t *desired = json_object_get(task->record.scratch, "desired_running");
    bool cancelled = task->record.error.code == ERR_CANCELLED;
    keep_replaced(task, &slice);
    if (!cancelled)
        slice.error = task->record.error;
    else if (json_is_boolean(desired))
        slice.desired_running = json_is_true(desired);
    if (slice.domain_id >= 0) /* paused when it was; the watch of domains looks after this */
        set_state(task, &slice, slice.state == SLICE_PAUSED ? SLICE_PAUSED : SLICE_RUNNING,
                  "failed");
    else if (slice.desired_running || slice.state == SLICE_TERMINATING)
        set_state(task, &slice, cancelled ? SLICE_STOPPED : SLICE_FAILED, "failed");
    else
        set_state(task, &slice, SLICE_STOPPED, "failed");
}

void task_apply_failed(struct task *task)
{
    switch (task->record.request.operation) {
    case OP_SLICE_PROVISION:
        failed_provision(task);
        break;
    case OP_SLICE_START:
    case OP_SLICE_STOP:
    case OP_SLICE_REBOOT:
    case OP_SLICE_PAUSE:
    case OP_SLICE_UNPAUSE:
    case OP_SLICE_TERMINATE:
    case OP_SNAPSHOT_REVERT:
        task_revert_failed(task);
        failed_slice(task);
        break;
    case OP_SLICE_RESIZE:
        task_apply_resize_failed(task);
        break;
    case OP_SNAPSHOT_CREATE:
        forget_snapshot(task);
        break;
    case OP_IMAGE_FETCH:
        forget_image(task, "failed", &task->record.error);
        break;
    default:
        if (task_is_of_volume(task))
            task_failed_volume(task);
        break;
    }
}
