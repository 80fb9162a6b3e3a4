#include "task.h"

#include "log.h"
#include "must.h"
#include "task_internal.h"

#include <stdlib.h>
#include <string.h>

/* That may wait or be at work at a time; more are refused. */
#define REQUESTS_OPEN_MAX 1000

#define BUSY_MESSAGE "the node has 1000 requests that have not ended: ask again later"

struct tasks *tasks_new(const struct tasks_config *config)
{
    struct tasks *tasks = xcalloc(1, sizeof(*tasks));
    tasks->config = *config;
    return tasks;
}

static void task_free(struct task *task)
{
    task_kill(task);
    loop_cancel(task->tasks->config.loop, task->timer);
    loop_cancel(task->tasks->config.loop, task->retry_timer);
    cleanup_close(&task->output);
    request_record_free(&task->record);
    plan_free(&task->plan);
    free(task);
}

void tasks_free(struct tasks *tasks)
{
    if (!tasks)
        return;
    while (tasks->first) {
        struct task *task = tasks->first;
        tasks->first = task->next;
        task_free(task);
    }
    loop_cancel(tasks->config.loop, tasks->kick_timer);
    free(tasks);
}

static const char *image_of(const struct request *request)
{
    const json_t *holder = request->operation == OP_SLICE_PROVISION
                               ? json_object_get(request->args, "image")
                               : request->args;
    bool concerned = request->operation == OP_SLICE_PROVISION ||
                     request->operation == OP_IMAGE_FETCH || request->operation == OP_IMAGE_DELETE;
    const char *id = concerned ? json_string_value(json_object_get(holder, "id")) : NULL;
    return id && uuid_valid(id) ? id : "";
}

static const char *snapshot_of(const struct request *request)
{
    const char *id = json_string_value(json_object_get(request->args, "snapshot"));
    return id && uuid_valid(id) ? id : "";
}

static const char *volume_of(const struct request *request)
{
    bool concerned = strncmp(operation_name(request->operation), "volume.", 7) == 0;
    const char *id = concerned ? json_string_value(json_object_get(request->args, "volume")) : NULL;
    return id && uuid_valid(id) ? id : "";
}

/* Takes over what `record` owns. */
static struct task *append(struct tasks *tasks, struct request_record *record)
{
    struct task *task = xcalloc(1, sizeof(*task));
    task->tasks = tasks;
    task->output = -1;
    task->record = *record;
    memset(record, 0, sizeof(*record));
    copy_text(task->image, sizeof(task->image), image_of(&task->record.request));
    copy_text(task->snapshot, sizeof(task->snapshot), snapshot_of(&task->record.request));
    copy_text(task->volume, sizeof(task->volume), volume_of(&task->record.request));
    copy_text(task->slice, sizeof(task->slice), task->record.request.slice);
    struct task **place = &tasks->first;
    while (*place)
        place = &(*place)->next;
    *place = task;
    return task;
}

void task_finish(struct task *task, const struct err *error)
{
    struct err err;
    must(store_begin(task->tasks->config.store, &err), &err);
    task_finish_begun(task, error);
}

void task_finish_begun(struct task *task, const struct err *given)
{
    struct tasks *tasks = task->tasks;
    struct err err, answer_error = {0};
    const struct err *error = given;
    json_t *result = NULL;
    if (!error && task->plan.count == 0 && task_answer(task, &result, &answer_error) < 0)
        error = &answer_error;
    if (error)
        task->record.error = *error;
    /* What a client asked for and may not have changes nothing; but a slice that the node itself
     * cannot start has failed. */
    if (error && (task->prepared || task->record.internal))
        task_apply_failed(task);
    else if (!error)
        task_apply_done(task, &result);
    task_record_end(task, error, result);
    must(store_commit(tasks->config.store, &err), &err);
    outbox_flush(tasks->config.outbox);
    const struct request *request = &task->record.request;
    if (error)
        log_warning("%s %s failed: %s: %s", operation_name(request->operation), request->slice,
                    err_code_name(error->code), error->message);
    else
        log_info("%s %s done", operation_name(request->operation), request->slice);

    struct task **place = &tasks->first;
    while (*place != task)
        place = &(*place)->next;
    *place = task->next;
    tasks_kick(tasks);
    if (tasks->config.finished)
        tasks->config.finished(tasks->config.context, &task->record);
    task_free(task);
}

int tasks_recover(struct tasks *tasks, struct err *err)
{
    struct request_record *records;
    struct capacity capacity;
    size_t count;
    if (tasks_capacity(tasks, NULL, &capacity, err) < 0 ||
        store_requests_open(tasks->config.store, &records, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        struct task *task = append(tasks, &records[i]);
        task->wants_room = true; /* it may have waited for the image that is being collected */
        if (task->record.phase == REQUEST_QUEUED)
            continue;
        if (plan_from_json(json_object_get(task->record.scratch, "plan"), &task->plan, err) < 0) {
            request_records_free(records, count);
            return -1;
        }
        task->prepared = task->began = true;
        task_recover_reboot(task);
        log_info("%s %s goes on at step %u of %zu%s",
                 operation_name(task->record.request.operation), task->record.request.slice,
                 task->record.step, task->plan.count,
                 task->record.phase == REQUEST_UNDOING ? ", backwards" : "");
    }
    request_records_free(records, count);
    tasks_kick(tasks);
    return 0;
}

/* Ends what the slice has under way, so that it can be terminated. */
static void make_way(struct tasks *tasks, struct task *terminate)
{
    const struct err cancelled = {.code = ERR_CANCELLED,
                                  .message = "cancelled: the slice is terminated"};
    for (struct task *task = tasks->first, *next; task && task != terminate; task = next) {
        next = task->next;
        if (strcmp(task->record.request.slice, terminate->record.request.slice) != 0)
            continue;
        if (task->record.request.operation == OP_SLICE_PROVISION)
            terminate->replaces_provision = true;
        if (task->follows)
            task_console_end(task, NULL);
        else if (task_is_revocable(task))
            task_take_back(task, &cancelled);
    }
}

static void refuse(struct tasks *tasks, const json_t *object, const struct err *error)
{
    const char *id = json_string_value(json_object_get(object, "id"));
    const char *slice = json_string_value(json_object_get(object, "slice"));
    log_warning("a request is refused: %s: %s", err_code_name(error->code), error->message);
    if (!id || !uuid_valid(id))
        return;
    outbox_add(tasks->config.outbox,
               EVENT(.type = "request.failed", .request = id,
                     .slice = slice && uuid_valid(slice) ? slice : NULL, .error = error));
    outbox_flush(tasks->config.outbox);
}

int tasks_submit(struct tasks *tasks, const json_t *object, bool internal, struct err *err)
{
    struct request_record record = {.internal = internal};
    struct err store_error;
    if (request_parse(object, &record.request, err) < 0) {
        if (!internal)
            refuse(tasks, object, err);
        return -1;
    }
    /* The record and its event are one change: a request that was accepted has said so. */
    must(store_begin(tasks->config.store, &store_error), &store_error);
    int added =
        must(store_request_add(tasks->config.store, &record.request, internal, &store_error),
             &store_error);
    if (added && !internal)
        outbox_add(tasks->config.outbox,
                   EVENT(.type = "request.accepted", .request = record.request.id,
                         .slice = record.request.slice));
    must(store_commit(tasks->config.store, &store_error), &store_error);
    if (!added) {
        tasks_repeat_end(tasks, record.request.id);
        request_record_free(&record);
        return 0;
    }
    outbox_flush(tasks->config.outbox);
    struct task *task = append(tasks, &record);
    if (!internal && task->record.request.operation != OP_REQUEST_CANCEL &&
        tasks_count(tasks) > REQUESTS_OPEN_MAX) {
        const struct err busy = {.code = ERR_BUSY, .message = BUSY_MESSAGE};
        task_finish(task, &busy);
        return 1;
    }
    if (task->record.request.operation == OP_SLICE_TERMINATE)
        make_way(tasks, task);
    if (task->record.request.operation == OP_REQUEST_CANCEL)
        task_begin(task);
    tasks_kick(tasks);
    return 1;
}

void tasks_submit_internal(struct tasks *tasks, enum operation operation, const char *slice)
{
    char id[UUID_TEXT_BYTES];
    struct err err;
    uuid_make(id);
    bool force = operation == OP_SLICE_STOP || operation == OP_SLICE_REBOOT;
    json_t *object = json_pack("{s:s, s:s, s:s, s:o, s:n}", "id", id, "op",
                               operation_name(operation), "slice", slice, "args",
                               force ? json_pack("{s:b}", "force", 1) : json_object(), "deadline");
    must(tasks_submit(tasks, object, true, &err), &err);
    json_decref(object);
}

bool tasks_slice_busy(const struct tasks *tasks, const char *slice)
{
    for (const struct task *task = tasks->first; task; task = task->next)
        if (strcmp(task->slice, slice) == 0 && !task_is_console(task) && !task_is_export(task))
            return true;
    return false;
}

unsigned tasks_at_work(const struct tasks *tasks)
{
    unsigned count = 0;
    for (const struct task *task = tasks->first; task; task = task->next)
        /* The node's reboot waits for the others: it ends with the machine. An export that is cut off
         * is sent again after the next start. */
        count += !task_is_console(task) && !task_is_export(task) &&
                 task->record.request.operation != OP_NODE_REBOOT &&
                 (task->worker || task->prepared || task->record.internal);
    return count;
}

unsigned tasks_count(const struct tasks *tasks)
{
    unsigned count = 0;
    for (const struct task *task = tasks->first; task; task = task->next)
        count++;
    return count;
}

void tasks_drain(struct tasks *tasks)
{
    tasks->draining = true;
    tasks_kick(tasks);
}

void tasks_state_full(struct tasks *tasks, bool full)
{
    tasks->state_full = full;
}
