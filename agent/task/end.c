/* How a request ended: told, remembered, and told again. */
#include "task/end.h"

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "model/request.h"
#include "operation/operation.h"
#include "operation/task.h"
#include "operation/type.h"
#include "store/must.h"
#include "store/outbox.h"
#include "store/store.h"
#include "task/reap.h"

#include <string.h>

/* Finished requests that are remembered, to answer repetitions; and as long as the controller
 * has not acknowledged their ends. */
#define REQUESTS_KEPT 2000
#define REQUESTS_UNTOLD_MAX 50000
#define TRIM_EVERY 64

/* Their results, and how much of new ones is let pass before that is looked at. */
#define RESULTS_BYTES_MAX (4u << 20)
#define RESULTS_LOOK_BYTES (1u << 20)

/* In this order: the store notes the event's number. */
static void tell_end(struct tasks *tasks, const struct request_record *record)
{
    bool failed = record->phase == REQUEST_FAILED;
    struct err err;
    outbox_add(tasks->config.outbox,
               EVENT(.type = failed ? "request.failed" : "request.done",
                     .request = record->request.id, .slice = record->request.slice,
                     .result = record->result, .error = failed ? &record->error : NULL));
    must(store_request_update(tasks->config.store, record, &err), &err);
}

void task_record_end(struct task *task, const struct err *error, json_t *result)
{
    struct tasks *tasks = task->tasks;
    struct request_record *record = &task->record;
    struct err err;
    record->phase = error ? REQUEST_FAILED : REQUEST_DONE;
    record->result = result;
    json_decref(record->scratch); /* the plan has served */
    record->scratch = NULL;
    if (record->internal)
        must(store_request_update(tasks->config.store, record, &err), &err);
    else
        tell_end(tasks, record);
    if (++tasks->ended % TRIM_EVERY == 0)
        must(store_requests_trim(tasks->config.store, REQUESTS_KEPT, REQUESTS_UNTOLD_MAX, &err),
             &err);
    tasks->result_bytes += result ? json_dumpb(result, NULL, 0, JSON_COMPACT) : 0;
    if (tasks->result_bytes > RESULTS_LOOK_BYTES) {
        tasks->result_bytes = 0;
        must(store_results_trim(tasks->config.store, RESULTS_BYTES_MAX, &err), &err);
    }
}

/* Whether the event that ended the request waits for the controller: it was not dropped, not
 * refused and not acknowledged. */
static bool end_waits(struct tasks *tasks, const struct request_record *record)
{
    CLEANUP_JSON json_t *events = NULL;
    struct err err;
    must(store_events(tasks->config.store, record->end_seq - 1, 1, 0, &events, &err), &err);
    const json_t *event = json_array_get(events, 0);
    const char *request = json_string_value(json_object_get(event, "request"));
    const char *type = json_string_value(json_object_get(event, "type"));
    return json_integer_value(json_object_get(event, "seq")) == record->end_seq && request &&
           strcmp(request, record->request.id) == 0 && type &&
           (strcmp(type, "request.done") == 0 || strcmp(type, "request.failed") == 0);
}

void tasks_repeat_end(struct tasks *tasks, const char *id)
{
    struct request_record record;
    struct err err;
    if (must(store_request_find(tasks->config.store, id, &record, &err), &err) == 0)
        return;
    if (record.phase >= REQUEST_DONE && !record.internal && !end_waits(tasks, &record)) {
        must(store_begin(tasks->config.store, &err), &err);
        tell_end(tasks, &record);
        must(store_commit(tasks->config.store, &err), &err);
    }
    request_record_free(&record);
    outbox_flush(tasks->config.outbox);
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
    tasks->kick(tasks);
    if (tasks->config.finished)
        tasks->config.finished(tasks->config.context, &task->record);
    task_free(task);
}
