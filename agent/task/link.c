/* The parent's side of a worker: starts it, answers what it asks after recording it, and sees
 * how it ends. */
#include "task/link.h"

#include "backend/open.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/request.h"
#include "model/slice.h"
#include "operation/operation.h"
#include "operation/task.h"
#include "operation/type.h"
#include "operation/volume.h"
#include "plan/steps.h"
#include "process/loop.h"
#include "process/wire.h"
#include "step/worker.h"
#include "store/must.h"
#include "store/outbox.h"
#include "store/store.h"
#include "task/end.h"
#include "task/reap.h"
#include "task/room.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRESS_INTERVAL_MS 1000
#define RETRY_FIRST_MS 1000
#define RETRY_DOUBLINGS 5

static void answer(struct task *task, json_t *message)
{
    /* A worker that is gone shows as the end of its stream. */
    wire_send(&task->wire, message, NULL);
    json_decref(message);
}

static void commit(struct task *task)
{
    struct store *store = task->tasks->config.store;
    struct err err;
    must(store_request_update(store, &task->record, &err), &err);
    must(store_commit(store, &err), &err);
    outbox_flush(task->tasks->config.outbox);
}

static void begin_transaction(struct task *task)
{
    struct err err;
    must(store_begin(task->tasks->config.store, &err), &err);
}

static void start_undo(struct task *task, const struct err *error)
{
    begin_transaction(task);
    task->record.phase = REQUEST_UNDOING;
    task->record.error = *error;
    commit(task);
}

/* --- The worker's messages -------------------------------------------------------------------- */

/* Undoing from outside the worker's own course: it is ended and a new one goes backwards. */
void task_turn_back(struct task *task, const struct err *error)
{
    task_reap(task);
    loop_cancel(task->tasks->config.loop, task->retry_timer);
    task->retry_timer = 0;
    start_undo(task, error);
    task->attempts = 0;
    task_spawn(task);
}

static void retry(void *context)
{
    struct task *task = context;
    task->retry_timer = 0;
    task->tasks->kick(task->tasks);
}

/* Another worker goes on where this one has ended, after a while. */
static void spawn_later(struct task *task)
{
    unsigned doublings = task->attempts < RETRY_DOUBLINGS ? task->attempts : RETRY_DOUBLINGS;
    task->attempts++;
    task->retry_timer =
        loop_timer(task->tasks->config.loop, (uint64_t)RETRY_FIRST_MS << doublings, retry, task);
}

/* Records what the step before `next` has given: with it, that step is behind, and after a crash
 * `next` is where to go on. */
static int record_end(struct task *task, unsigned next, const json_t *output, struct err *err)
{
    if (output && next > 0 && task_apply_end(task, &task->plan.steps[next - 1], output, err) < 0)
        return -1;
    task->record.step = next;
    return 0;
}

static bool on_begin(struct task *task, unsigned index, const json_t *output)
{
    struct err err = {0};
    bool again = task->record.step == index && task->attempts > 0;
    bool entered = !task->began && index == 0; /* with the plan, by task_prepare */
    task->began = true;
    task->reported_percent = -1;
    if (entered) {
        answer(task, json_pack("{s:s}", "type", "go"));
        return true;
    }
    begin_transaction(task);
    if (record_end(task, index, output, &err) < 0) {
        commit(task);
        task_turn_back(task, &err);
        return false;
    }
    int passed = task_enter(task, &task->plan.steps[index], !again, &err);
    commit(task);
    answer(task, passed == 0 ? json_pack("{s:s}", "type", "go")
                             : json_pack("{s:s, s:s, s:s}", "type", "refused", "code",
                                         err_code_name(err.code), "message", err.message));
    return true;
}

static void on_done(struct task *task, const json_t *output)
{
    struct err err = {0};
    begin_transaction(task);
    if (record_end(task, (unsigned)task->plan.count, output, &err) < 0) {
        commit(task);
        task_turn_back(task, &err);
        return;
    }
    /* It is recorded first: that the worker ends is waited for with the task's own end. */
    task_finish_begun(task, NULL);
}

/* Also past the point of no return what can be undone is undone (the worker stops where it cannot
 * be); a plan without any way back stays where it is, and can be asked for again. false when the
 * task is not to be touched any more. */
static bool worker_failed(struct task *task, bool foreign, const struct err *error)
{
    /* What the step found and did not make is not undone: the way back begins before it. */
    bool back = task->plan.forward_from > 0 && (!foreign || task->record.step > 0);
    task->record.error = *error;
    if (back) {
        if (foreign)
            task->record.step--;
        task->attempts = 0;
        start_undo(task, error);
        answer(task, json_pack("{s:s, s:b}", "type", "stop", "undo", 1));
        return true;
    }
    answer(task, json_pack("{s:s, s:b}", "type", "stop", "undo", 0));
    task_reap(task);
    task_finish(task, error);
    return false;
}

static bool on_progress(struct task *task, int percent, uint64_t mapped_bytes)
{
    struct err err = {0};
    uint64_t now = monotonic_ms();
    begin_transaction(task);
    /* An image that needs more room than there is has others go, if that helps. */
    bool fits =
        task_apply_progress(task, mapped_bytes, &err) == 0 ||
        (err.code == ERR_INSUFFICIENT_DISK && task_make_room(task->tasks, task->short_bytes));
    if (percent > task->reported_percent && percent <= 100 && !task->record.internal &&
        now - task->reported_ms >= PROGRESS_INTERVAL_MS) {
        task->reported_ms = now;
        task->reported_percent = percent;
        outbox_add(task->tasks->config.outbox,
                   EVENT(.type = "request.progress", .request = task->record.request.id,
                         .slice = task->record.request.slice,
                         .step = step_name(task->plan.steps[task->record.step].kind),
                         .has_progress = true, .progress = percent));
    }
    commit(task);
    if (!fits) {
        task_turn_back(task, &err);
        return false;
    }
    return true;
}

/* A request that cannot be undone now stays open, and what it holds stays reserved, until it
 * can. */
static void on_residue(struct task *task, const struct err *error)
{
    task_reap(task);
    spawn_later(task);
    if (task->attempts > 1)
        return; /* told already */
    outbox_add(task->tasks->config.outbox,
               EVENT(.type = "node.problem", .request = task->record.request.id,
                     .slice = task->record.request.slice, .error = error));
    outbox_flush(task->tasks->config.outbox);
}

/* What a message says went wrong; never nothing, so that no failure is taken for success. */
static void read_error(const json_t *message, struct err *error)
{
    const char *code = json_string_value(json_object_get(message, "code"));
    const char *text = json_string_value(json_object_get(message, "message"));
    err_set(error, code ? err_code_from_name(code) : ERR_INTERNAL, "%s", text ? text : "");
    if (error->code == ERR_NONE)
        error->code = ERR_INTERNAL;
}

/* The worker could not open the backend. Nothing is lost by that, and nothing may be left over. */
static void on_closed(struct task *task, const struct err *error)
{
    task_reap(task);
    if (!task->began) {
        task_finish(task, error);
        return;
    }
    if (task->record.phase == REQUEST_RUNNING && task->record.step < task->plan.forward_from)
        start_undo(task, error);
    spawn_later(task);
}

/* false when the task is not to be touched any more. */
static bool on_message(struct task *task, const json_t *message)
{
    const char *type = json_string_value(json_object_get(message, "type"));
    json_int_t index = json_integer_value(json_object_get(message, "step"));
    struct err error = {0};
    read_error(message, &error);
    if (!type || index < 0 || (size_t)index >= task->plan.count) {
        log_error("a worker sent nonsense");
        return true;
    }
    if (strcmp(type, "begin") == 0) {
        return on_begin(task, (unsigned)index, json_object_get(message, "output"));
    } else if (strcmp(type, "progress") == 0) {
        return on_progress(task, (int)json_integer_value(json_object_get(message, "percent")),
                           (uint64_t)json_integer_value(json_object_get(message, "mapped")));
    } else if (strcmp(type, "failed") == 0) {
        bool foreign = json_is_true(json_object_get(message, "foreign"));
        return worker_failed(task, foreign, &error);
    } else if (strcmp(type, "closed") == 0) {
        on_closed(task, &error);
        return false;
    } else if (strcmp(type, "undo") == 0) {
        begin_transaction(task);
        task->record.step = (unsigned)index;
        commit(task);
        answer(task, json_pack("{s:s, s:b}", "type", "go", "keep",
                               task_keeps(task, &task->plan.steps[index])));
    } else if (strcmp(type, "residue") == 0) {
        on_residue(task, &error);
        return false;
    } else if (strcmp(type, "done") == 0) {
        on_done(task, json_object_get(message, "output"));
        return false;
    } else if (strcmp(type, "undone") == 0 && task->record.phase == REQUEST_UNDOING) {
        error = task->record.error;
        task_reap(task);
        if (!task_put_back(task, &error))
            task_finish(task, &error);
        return false;
    } else {
        log_error("a worker sent nonsense");
    }
    return true;
}

/* --- Its life --------------------------------------------------------------------------------- */

static void on_death(struct task *task, int status)
{
    struct err error = {0};
    err_set(&error, ERR_INTERNAL, "the worker ended with %s %d",
            WIFSIGNALED(status) ? "signal" : "status",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    log_error("%s: %s", operation_name(task->record.request.operation), error.message);
    bool undoing = task->record.phase == REQUEST_UNDOING;
    bool forward = !undoing && task->record.step >= task->plan.forward_from;
    if (undoing || (forward && task->attempts + 1 < TASK_ATTEMPTS)) {
        spawn_later(task);
    } else if (forward && task->plan.forward_from == 0) {
        task->record.error = error;
        task_finish(task, &error);
    } else {
        start_undo(task, &error);
        task->attempts = 0;
        task_spawn(task);
    }
}

static void readable(void *context, int fd, short events)
{
    struct task *task = context;
    json_t *message;
    struct err err;
    (void)fd;
    (void)events;
    int result = wire_fill(&task->wire, &err);
    while (result >= 0 && (result = wire_take(&task->wire, &message, &err)) == 1) {
        bool alive = on_message(task, message);
        json_decref(message);
        if (!alive)
            return;
    }
    if (result < 0)
        log_error("a worker's message: %s", err.message);
    if (result < 0 || task->wire.closed)
        on_death(task, task_reap(task));
}

static void load(struct task *task, struct worker_job *job, struct slice *slice,
                 struct image *image)
{
    const struct tasks_config *config = &task->tasks->config;
    struct err err;
    if (task->slice[0] &&
        must(store_slice_find(config->store, task->slice, slice, &err), &err) == 1) {
        job->slice = slice;
        task_volumes(task, &job->volumes, &job->volume_count);
    }
    if (task->image[0] &&
        must(store_image_find(config->store, task->image, image, &err), &err) == 1)
        job->image = image;
    task_load(task, &job->more);
    job->output = job->more.has_export ? task->output : -1;
    job->ca = config->ca(config->context);
}

void task_spawn(struct task *task)
{
    struct tasks *tasks = task->tasks;
    struct slice slice = {0};
    struct image image = {0};
    struct worker_job job = {.plan = &task->plan,
                             .undoing = task->record.phase == REQUEST_UNDOING,
                             .step = task->record.step,
                             .resumed = task->began,
                             .output = -1,
                             .backend = tasks->config.backend_options,
                             .paths = tasks->config.paths,
                             .lock = tasks->config.lock};
    int sockets[2];
    load(task, &job, &slice, &image);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0 ||
        (task->worker = fork()) < 0) {
        log_error("cannot start a worker: %s", strerror(errno));
        exit(1); /* as for memory: the supervisor starts anew, the store knows where */
    }
    if (task->worker == 0)
        worker_run(&job, sockets[1]);
    close(sockets[1]);
    slice_free(&slice);
    free(job.volumes);
    wire_init(&task->wire, sockets[0]);
    tasks->running++;
    loop_watch(tasks->config.loop, sockets[0], POLLIN, readable, task);
}
