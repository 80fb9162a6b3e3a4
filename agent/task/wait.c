/* Who waits for whom: the order of requests that touch the same. */
#include "task/wait.h"

#include "base/err.h"
#include "model/snapshot.h"
#include "operation/task.h"
#include "operation/type.h"
#include "operation/volume.h"
#include "store/must.h"
#include "store/store.h"
#include "task/follow.h"
#include "task/room.h"

#include <string.h>

/* So that long exports do not take all workers. */
#define EXPORTS_AT_ONCE 2

/* Whether `task` makes a slice from a snapshot of the slice that `other` terminates. */
static bool clones_from(const struct task *task, const struct task *other)
{
    struct snapshot snapshot;
    struct err err;
    return task_has(task, OPERATION_MAKES_SLICE) && task->snapshot[0] &&
           task_has(other, OPERATION_REMOVES_SLICE) &&
           must(store_snapshot_find(task->tasks->config.store, task->snapshot, &snapshot, &err),
                &err) == 1 &&
           strcmp(snapshot.slice, other->record.request.slice) == 0;
}

/* A snapshot is made before a slice is made from it, and stays until that is done. Those who only
 * read it do not wait for each other. */
static bool waits_for_snapshot(const struct task *task, const struct task *earlier)
{
    if (task->snapshot[0] && strcmp(task->snapshot, earlier->snapshot) == 0)
        return !task_has(task, OPERATION_READS_SNAPSHOT) ||
               !task_has(earlier, OPERATION_READS_SNAPSHOT);
    return clones_from(task, earlier) || clones_from(earlier, task);
}

/* A console can be read whatever is done with its slice, but not before there is one. */
static bool waits_to_look(const struct task *console, const struct task *earlier)
{
    return task_has(earlier, OPERATION_MAKES_SLICE) && !(earlier->prepared && task_stays(console));
}

/* Whether `task` must wait for `earlier`, which came before it and has not ended. A deletion
 * does not wait for those who use the image: it is refused (task_prepare). */
static bool waits_for(const struct task *task, const struct task *earlier)
{
    bool same = task->slice[0] && strcmp(task->slice, earlier->slice) == 0;
    if (task_has(task, OPERATION_LOOKS) || task_has(earlier, OPERATION_LOOKS))
        return same && !task_has(earlier, OPERATION_LOOKS) && waits_to_look(task, earlier);
    /* What is sent nothing changes: the slice's later requests go on beside it, but for those
     * that take it away. */
    if (same)
        return !task_has(earlier, OPERATION_SENDS) || task_has(task, OPERATION_REMOVES_SNAPSHOT);
    if (task->volume[0] && strcmp(task->volume, earlier->volume) == 0)
        return true;
    if (waits_for_snapshot(task, earlier))
        return true;
    if (!task->image[0] || strcmp(task->image, earlier->image) != 0 ||
        task_has(task, OPERATION_REMOVES_IMAGE))
        return false;
    return task_image_exclusive(task) || task_image_exclusive(earlier);
}

static bool is_fetching(const struct task *task)
{
    if (task->worker && task->record.phase == REQUEST_RUNNING)
        for (size_t i = task->record.step; i < task->plan.count; i++)
            if (task->plan.steps[i].kind == STEP_IMAGE_IMPORT ||
                task->plan.steps[i].kind == STEP_FILE_IMPORT)
                return true;
    return false;
}

/* A server of images may be slow without end: a quarter of the workers is kept for what needs
 * none. */
static bool must_wait_to_fetch(const struct task *task)
{
    unsigned running = 0, workers = task->tasks->config.workers;
    if (task->prepared || !task->image[0] || !task_has(task, OPERATION_FETCHES))
        return false;
    for (const struct task *other = task->tasks->first; other; other = other->next)
        running += is_fetching(other);
    return running > 0 && running >= workers - workers / 4 && task_image_exclusive(task);
}

static bool export_must_wait(const struct task *task)
{
    unsigned running = 0;
    if (!task_has(task, OPERATION_SENDS) || task->prepared)
        return false;
    for (const struct task *other = task->tasks->first; other; other = other->next)
        running += other->worker && task_has(other, OPERATION_SENDS);
    return running >= EXPORTS_AT_ONCE;
}

/* Before a shutdown nothing new is begun but by the node itself. */
bool task_is_held_back(const struct task *task)
{
    return task->tasks->draining && !task->prepared && !task->record.internal;
}

bool task_may_start(struct task *task)
{
    task_find_slice(task);
    if (task->wants_room && !task->prepared && !task->record.internal &&
        task_collecting(task->tasks))
        return false;
    if ((task_stays(task) && !task_may_follow(task->tasks)) || export_must_wait(task) ||
        must_wait_to_fetch(task))
        return false;
    for (const struct task *earlier = task->tasks->first; earlier != task; earlier = earlier->next)
        if (!task_is_held_back(earlier) && waits_for(task, earlier))
            return false;
    return true;
}
