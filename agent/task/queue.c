#include "task/queue.h"

#include "base/err.h"
#include "base/ident.h"
#include "base/log.h"
#include "base/memory.h"
#include "capacity/admit.h"
#include "model/request.h"
#include "operation/capacity.h"
#include "operation/operation.h"
#include "operation/task.h"
#include "operation/type.h"
#include "plan/document.h"
#include "process/loop.h"
#include "store/must.h"
#include "store/outbox.h"
#include "store/store.h"
#include "task/begin.h"
#include "task/cancel.h"
#include "task/end.h"
#include "task/follow.h"
#include "task/reap.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* That may wait or be at work at a time; more are refused. */
#define REQUESTS_OPEN_MAX 1000

#define BUSY_MESSAGE "the node has 1000 requests that have not ended: ask again later"

struct tasks *tasks_new(const struct tasks_config *config)
{
    struct tasks *tasks = xcalloc(1, sizeof(*tasks));
    tasks->config = *config;
    tasks->kick = tasks_kick;
    tasks->submit = tasks_submit;
    return tasks;
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
    free(tasks->pool_ids);
    free(tasks);
}

/* A plan that cannot be read is no reason to drop the request: what it has made would stay. */
static int read_plan(struct task *task, struct err *err)
{
    const struct request_record *record = &task->record;
    struct err why;
    if (plan_from_json(json_object_get(record->scratch, "plan"), &task->plan, &why) == 0)
        return 0;
    return err_set(err, why.code,
                   "request %s (%s) was begun by another slicenode: %s: boot that version again, "
                   "until the request has ended",
                   record->request.id, operation_name(record->request.operation), why.message);
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
        struct task *task =
            tasks_append(tasks, operation_row(records[i].request.operation), &records[i]);
        task->wants_room = true; /* it may have waited for the image that is being collected */
        if (task->record.phase == REQUEST_QUEUED)
            continue;
        if (read_plan(task, err) < 0) {
            request_records_free(records, count);
            return -1;
        }
        task->prepared = task->began = true;
        task_recover(task);
        log_info("%s %s goes on at step %u of %zu%s",
                 operation_name(task->record.request.operation), task->record.request.slice,
                 task->record.step, task->plan.count,
                 task->record.phase == REQUEST_UNDOING ? ", backwards" : "");
    }
    request_records_free(records, count);
    tasks_kick(tasks);
    return 0;
}

static bool is_for(const struct task *task, const struct task *terminate)
{
    return strcmp(task->record.request.slice, terminate->record.request.slice) == 0;
}

/* Before anything ends: a terminate that did this goes on also after the agent's next start. */
static void note_way(struct tasks *tasks, struct task *terminate)
{
    struct err err;
    bool of_provision = false;
    for (struct task *task = tasks->first; task && task != terminate; task = task->next)
        of_provision |= is_for(task, terminate) && task_has(task, OPERATION_MAKES_SLICE);
    task_note_made_way(terminate, of_provision);
    must(store_request_update(tasks->config.store, &terminate->record, &err), &err);
}

/* Ends what the slice has under way, so that it can be terminated. */
static void make_way(struct tasks *tasks, struct task *terminate)
{
    const struct err cancelled = {.code = ERR_CANCELLED,
                                  .message = "cancelled: the slice is terminated"};
    note_way(tasks, terminate);
    for (struct task *task = tasks->first, *next; task && task != terminate; task = next) {
        next = task->next;
        if (!is_for(task, terminate))
            continue;
        if (task->follows)
            task_console_end(task, NULL);
        else if (task_is_revocable(task))
            task_take_back(task, &cancelled);
    }
}

static void refuse_request(struct tasks *tasks, const json_t *object, const struct err *error)
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
            refuse_request(tasks, object, err);
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
    struct task *task = tasks_append(tasks, operation_row(record.request.operation), &record);
    if (!internal && !task_has(task, OPERATION_AT_ONCE) && tasks_count(tasks) > REQUESTS_OPEN_MAX) {
        const struct err busy = {.code = ERR_BUSY, .message = BUSY_MESSAGE};
        task_finish(task, &busy);
        return 1;
    }
    if (task_has(task, OPERATION_REMOVES_SLICE)) {
        struct err refusal;
        if (task_check(task, &refusal) < 0) {
            task_finish(task, &refusal);
            return 1;
        }
        make_way(tasks, task);
    }
    if (task_has(task, OPERATION_AT_ONCE))
        task_begin(task);
    tasks_kick(tasks);
    return 1;
}

void tasks_submit_internal(struct tasks *tasks, enum operation operation, const char *slice)
{
    char id[UUID_TEXT_BYTES];
    struct err err;
    uuid_make(id);
    bool force = operation_row(operation)->traits & OPERATION_STOPS;
    json_t *object = json_pack("{s:s, s:s, s:s, s:o, s:n}", "id", id, "op",
                               operation_name(operation), "slice", slice, "args",
                               force ? json_pack("{s:b}", "force", 1) : json_object(), "deadline");
    must(tasks_submit(tasks, object, true, &err), &err);
    json_decref(object);
}

void tasks_drain(struct tasks *tasks)
{
    tasks->draining = true;
    tasks_kick(tasks);
}

void tasks_attach(struct tasks *tasks, const char *request, int output)
{
    for (struct task *task = tasks->first; task; task = task->next) {
        if (strcmp(task->record.request.id, request) != 0 || task->prepared || task->output >= 0)
            continue;
        task->output = output;
        return;
    }
    close(output);
}
