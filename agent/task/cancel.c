/* request.cancel: a request that waits is refused, one at work before its point of no return is
 * undone, and past it the cancelling is refused. It does not wait for its turn. */
#include "task/cancel.h"

#include "base/err.h"
#include "base/ident.h"
#include "model/arguments.h"
#include "operation/task.h"
#include "operation/type.h"
#include "store/must.h"
#include "store/store.h"
#include "task/end.h"
#include "task/follow.h"
#include "task/link.h"

#include <string.h>

static struct task *task_by_id(struct tasks *tasks, const char *id)
{
    for (struct task *task = tasks->first; task; task = task->next)
        if (strcmp(task->record.request.id, id) == 0)
            return task;
    return NULL;
}

static int refuse_absent(struct tasks *tasks, const char *id, struct err *err)
{
    struct request_record record;
    struct err store_error;
    if (must(store_request_find(tasks->config.store, id, &record, &store_error), &store_error) == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "/request: there is no request %s", id);
    request_record_free(&record);
    return err_set(err, ERR_TOO_LATE, "request %s has ended", id);
}

void task_take_back(struct task *task, const struct err *error)
{
    if (task->follows)
        task_console_end(task, error);
    else if (task->prepared)
        task_turn_back(task, error);
    else
        task_finish(task, error);
}

bool task_is_revocable(const struct task *task)
{
    return !task->prepared || task->follows ||
           (task->record.phase == REQUEST_RUNNING && task->record.step < task->plan.forward_from);
}

int task_cancel(struct task *task, struct err *err)
{
    struct tasks *tasks = task->tasks;
    const char *by = task->record.request.id;
    char id[UUID_TEXT_BYTES];
    struct err cancelled;
    if (cancel_parse(task->record.request.args, id, err) < 0)
        return -1;
    struct task *target = task_by_id(tasks, id);
    if (!target || target == task || target->record.internal)
        return refuse_absent(tasks, id, err);
    if (target->record.phase == REQUEST_UNDOING && target->record.error.code == ERR_CANCELLED)
        return 0;
    if (target->record.phase == REQUEST_UNDOING)
        return err_set(err, ERR_TOO_LATE, "request %s has failed and is being undone", id);
    if (!task_is_revocable(target))
        return err_set(err, ERR_TOO_LATE,
                       "request %s is past the point from which it can be undone", id);
    err_set(&cancelled, ERR_CANCELLED, "cancelled by request %s", by);
    task_take_back(target, &cancelled);
    return 0;
}
