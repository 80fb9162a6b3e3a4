/* How a request begins: its plan is made and recorded, then a worker carries it out. */
#include "task/begin.h"

#include "backend/open.h"
#include "base/clock.h"
#include "base/err.h"
#include "model/nic.h"
#include "model/request.h"
#include "model/slice.h"
#include "operation/operation.h"
#include "operation/task.h"
#include "operation/type.h"
#include "plan/document.h"
#include "plan/steps.h"
#include "process/loop.h"
#include "store/must.h"
#include "store/outbox.h"
#include "store/store.h"
#include "task/cancel.h"
#include "task/end.h"
#include "task/follow.h"
#include "task/link.h"
#include "task/room.h"
#include "task/wait.h"

/* Begun before others get their turn in the loop. */
#define BEGUN_AT_ONCE 16

/* One that has made way for itself has begun: refused now it would have changed something. */
static int check_deadline(const struct task *task, struct err *err)
{
    const struct request *request = &task->record.request;
    char text[TIME_TEXT_BYTES];
    if (!request->deadline_ms || wall_ms() <= request->deadline_ms || task_made_way(task))
        return 0;
    time_format(request->deadline_ms, text);
    return err_set(err, ERR_DEADLINE_PASSED, "the deadline %s has passed", text);
}

int task_check(const struct task *task, struct err *err)
{
    return check_deadline(task, err) < 0 ? -1 : task_judge(task, err);
}

/* A request that is cancelled leaves what is desired as it was. */
static void note_desired(struct task *task, json_t *scratch)
{
    struct slice slice;
    struct err err;
    if (must(store_slice_find(task->tasks->config.store, task->record.request.slice, &slice, &err),
             &err) == 0)
        return;
    json_object_set_new(scratch, "desired_running", json_boolean(slice.desired_running));
    slice_free(&slice);
}

static int prepare(struct task *task, struct err *err)
{
    struct store *store = task->tasks->config.store;
    struct request_record *record = &task->record;
    struct err store_error;
    if (check_deadline(task, err) < 0)
        return -1;
    json_t *before = record->scratch, *made_way = task_made_way(task);
    record->scratch = json_object();
    if (made_way)
        json_object_set(record->scratch, "made_way", made_way);
    json_decref(before);
    task->short_bytes = 0;
    note_desired(task, record->scratch);
    size_t events = outbox_mark(task->tasks->config.outbox);
    must(store_begin(store, &store_error), &store_error);
    if (task_prepare(task, err) < 0) {
        store_rollback(store);
        outbox_drop(task->tasks->config.outbox, events);
        plan_free(&task->plan);
        return -1;
    }
    record->phase = REQUEST_RUNNING;
    record->step = 0;
    json_object_set_new(record->scratch, "plan", plan_to_json(&task->plan));
    json_object_set_new(record->scratch, "boot_id", json_string(task->tasks->config.boot_id));
    must(store_request_update(store, record, &store_error), &store_error);
    must(store_commit(store, &store_error), &store_error);
    task->prepared = true;
    outbox_flush(task->tasks->config.outbox);
    return 0;
}

static void cancel(struct task *task)
{
    struct err err = {0};
    bool done = check_deadline(task, &err) == 0 && task_cancel(task, &err) == 0;
    task_finish(task, done ? NULL : &err);
}

void task_begin(struct task *task)
{
    struct err err = {0};
    if (task_has(task, OPERATION_AT_ONCE)) {
        cancel(task);
        return;
    }
    task->wants_room = false;
    if (!task->prepared && prepare(task, &err) < 0) {
        if (!task_wait_for_room(task, &err))
            task_finish(task, &err);
    } else if (task_stays(task)) {
        task_console_follow(task);
    } else if (task->plan.count == 0) {
        task_finish(task, NULL);
    } else {
        task_spawn(task);
    }
}

/* Beginning a task may end it at once, so the walk starts anew after each. `room`: there may be one
 * more worker. */
static bool begin_one(struct tasks *tasks, bool room)
{
    for (struct task *task = tasks->first; task; task = task->next) {
        bool waits = !task->worker && !task->retry_timer && !task->follows &&
                     (room || task_has(task, OPERATION_LOOKS));
        if (waits && !task_is_held_back(task) && task_may_start(task)) {
            task_begin(task);
            return true;
        }
    }
    return false;
}

/* Before a shutdown nothing but the slices' stops is left, which wait rather than work. */
void tasks_begin(struct tasks *tasks)
{
    unsigned begun = 0;
    while (begun < BEGUN_AT_ONCE &&
           begin_one(tasks, tasks->running < tasks->config.workers || tasks->draining))
        begun++;
    if (begun == BEGUN_AT_ONCE)
        tasks_kick(tasks);
}

static void kick(void *context)
{
    struct tasks *tasks = context;
    tasks->kick_timer = 0;
    tasks_begin(tasks);
}

void tasks_kick(struct tasks *tasks)
{
    if (!tasks->kick_timer)
        tasks->kick_timer = loop_timer(tasks->config.loop, 0, kick, tasks);
}
