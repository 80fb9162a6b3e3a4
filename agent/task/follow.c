/* Requests that follow a slice's console for a time and tell what it says by events. */
#include "task/follow.h"

#include "backend/console_log.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/memory.h"
#include "model/arguments.h"
#include "model/nic.h"
#include "model/slice.h"
#include "operation/console.h"
#include "operation/task.h"
#include "operation/type.h"
#include "process/loop.h"
#include "store/must.h"
#include "store/outbox.h"
#include "store/store.h"
#include "task/end.h"

#include <string.h>

#define EVENT_INTERVAL_MS 1000
/* Each second at most. Ten times as much of 64 slices is 20 MB/s for the controller. */
#define EVENT_CONSOLE_BYTES (32u << 10)
#define FOLLOWERS_MAX 64        /* at a time; others wait */
#define EVENTS_WAITING_MAX 1000 /* from then on nothing is added for a console */

bool task_may_follow(const struct tasks *tasks)
{
    unsigned count = 0;
    for (const struct task *task = tasks->first; task; task = task->next)
        count += task->follows;
    return count < FOLLOWERS_MAX;
}

static void keep(struct task *task)
{
    struct err err;
    must(store_request_update(task->tasks->config.store, &task->record, &err), &err);
}

/* The slice has gone, or is about to. */
static bool is_over(struct task *task)
{
    struct slice slice = {0};
    struct err err;
    if (must(store_slice_find(task->tasks->config.store, task->record.request.slice, &slice, &err),
             &err) == 0)
        return true;
    bool over = slice.state == SLICE_TERMINATING;
    slice_free(&slice);
    return over;
}

static bool may_tell(struct task *task)
{
    size_t waiting;
    struct err err;
    must(store_events_count(task->tasks->config.store, &waiting, &err), &err);
    return waiting < EVENTS_WAITING_MAX;
}

/* The event and the place behind it are one transaction: after a crash it goes on from there. */
static void tell_console(struct task *task)
{
    const struct tasks_config *config = &task->tasks->config;
    json_t *scratch = task->record.scratch;
    struct err err;
    bool skipped, skipped_before = json_is_true(json_object_get(scratch, "skipped"));
    int64_t place = json_integer_value(json_object_get(scratch, "place"));
    if (!may_tell(task))
        return;
    CLEANUP_FREE char *text = console_next(config->paths.console_dir, task->record.request.slice,
                                           &place, EVENT_CONSOLE_BYTES, &skipped);
    json_object_set_new(scratch, "place", json_integer(place));
    json_object_set_new(scratch, "skipped", json_boolean((skipped || skipped_before) && !text[0]));
    if (!text[0])
        return;
    must(store_begin(config->store, &err), &err);
    json_t *result =
        json_pack("{s:s, s:b}", "console", text, "truncated", skipped || skipped_before);
    outbox_add(config->outbox, EVENT(.type = "slice.console", .request = task->record.request.id,
                                     .slice = task->record.request.slice, .result = result));
    json_decref(result);
    keep(task);
    must(store_commit(config->store, &err), &err);
    outbox_flush(config->outbox);
}

void task_console_end(struct task *task, const struct err *error)
{
    tell_console(task);
    task_finish(task, error);
}

static void tick(void *context)
{
    struct task *task = context;
    task->timer = 0;
    uint64_t now = monotonic_ms();
    if (now >= task->follows_to || is_over(task)) {
        task_console_end(task, NULL);
        return;
    }
    tell_console(task);
    uint64_t left = task->follows_to - now;
    task->timer = loop_timer(task->tasks->config.loop,
                             left < EVENT_INTERVAL_MS ? left : EVENT_INTERVAL_MS, tick, task);
}

/* The time that is left is counted anew at each start of the agent, so that a clock which was set
 * makes it at most as long as was asked. */
static uint64_t time_left(struct task *task, unsigned follow_seconds)
{
    json_t *until = json_object_get(task->record.scratch, "until_ms");
    int64_t all = (int64_t)follow_seconds * 1000;
    int64_t left = until ? json_integer_value(until) - wall_ms() : all;
    return (uint64_t)(left < 0 ? 0 : left > all ? all : left);
}

void task_console_follow(struct task *task)
{
    const struct tasks_config *config = &task->tasks->config;
    json_t *scratch = task->record.scratch;
    struct console_args args;
    console_args(task, &args);
    uint64_t left = time_left(task, args.follow_seconds);
    task->follows = true;
    task->follows_to = monotonic_ms() + left;
    if (!json_object_get(scratch, "until_ms")) {
        bool more;
        unsigned bytes = args.bytes < EVENT_CONSOLE_BYTES ? args.bytes : EVENT_CONSOLE_BYTES;
        int64_t place =
            console_place(config->paths.console_dir, task->record.request.slice, bytes, &more);
        json_object_set_new(scratch, "until_ms", json_integer(wall_ms() + (int64_t)left));
        json_object_set_new(scratch, "place", json_integer(place));
        json_object_set_new(scratch, "skipped", json_boolean(more));
        keep(task);
    }
    task->timer = loop_timer(config->loop, 0, tick, task);
}

void tasks_console_moved(struct tasks *tasks, const char *slice, uint64_t size)
{
    for (struct task *task = tasks->first; task; task = task->next) {
        json_t *place = json_object_get(task->record.scratch, "place");
        if (!task_has(task, OPERATION_LOOKS) || !place ||
            strcmp(task->record.request.slice, slice) != 0)
            continue;
        json_integer_set(place, json_integer_value(place) - (json_int_t)size);
        keep(task);
    }
}
