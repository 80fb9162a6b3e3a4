/* Disk images are a cache: when a request needs their space, those that no request concerns go,
 * the one used least recently first. A slice's disk shares blocks with its image but does not
 * need it. */
#include "task/room.h"

#include "base/err.h"
#include "base/ident.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/image.h"
#include "model/request.h"
#include "operation/capacity.h"
#include "operation/operation.h"
#include "operation/task.h"
#include "operation/type.h"
#include "plan/steps.h"
#include "store/must.h"
#include "store/outbox.h"
#include "store/store.h"

#include <string.h>

static bool is_collection(const struct task *task)
{
    return task->record.internal && task_has(task, OPERATION_REMOVES_IMAGE);
}

bool task_collecting(const struct tasks *tasks)
{
    for (const struct task *task = tasks->first; task; task = task->next)
        if (is_collection(task))
            return true;
    return false;
}

static void collect(struct tasks *tasks, const struct image *image)
{
    char id[UUID_TEXT_BYTES];
    struct err err;
    uuid_make(id);
    log_notice("image %s goes: its %llu MiB are needed", image->id,
               (unsigned long long)(image->mapped_bytes / MIB));
    json_t *request = json_pack("{s:s, s:s, s:{s:s}}", "id", id, "op",
                                operation_name(OP_IMAGE_DELETE), "args", "id", image->id);
    must(tasks->submit(tasks, request, true, &err), &err);
    json_decref(request);
}

bool task_make_room(struct tasks *tasks, uint64_t short_bytes)
{
    CLEANUP_FREE struct image *images = NULL;
    const struct image *oldest = NULL;
    uint64_t bytes = 0;
    if (task_collecting(tasks))
        return true;
    size_t count = task_all_images(tasks, &images);
    for (size_t i = 0; i < count; i++) {
        if (!task_image_is_spare(tasks, &images[i]))
            continue;
        bytes += images[i].mapped_bytes;
        if (!oldest || images[i].used_ms < oldest->used_ms)
            oldest = &images[i];
    }
    if (!oldest || bytes < short_bytes)
        return false;
    collect(tasks, oldest);
    return true;
}

static bool is_for_want_of_room(const struct err *error)
{
    return error->code == ERR_INSUFFICIENT_DISK || error->code == ERR_POOL_FULL;
}

/* Whether the request could be prepared if all images that can go had gone. */
static bool would_fit(struct task *task)
{
    struct tasks *tasks = task->tasks;
    struct err err;
    size_t events = outbox_mark(tasks->config.outbox);
    tasks->assumed_bytes = task_spare_bytes(tasks);
    must(store_begin(tasks->config.store, &err), &err);
    int prepared = task_prepare(task, &err);
    store_rollback(tasks->config.store);
    outbox_drop(tasks->config.outbox, events);
    plan_free(&task->plan);
    tasks->assumed_bytes = 0;
    return prepared == 0;
}

bool task_wait_for_room(struct task *task, const struct err *error)
{
    if (!is_for_want_of_room(error))
        return false;
    /* No image goes for a request that is refused all the same. */
    if (!task_collecting(task->tasks) && !would_fit(task))
        return false;
    task->wants_room = task_make_room(task->tasks, 0);
    return task->wants_room;
}

static bool is_to_be_terminated(const struct task *task)
{
    const char *slice = task->record.request.slice;
    for (const struct task *other = task->tasks->first; other; other = other->next)
        if (task_has(other, OPERATION_REMOVES_SLICE) &&
            strcmp(other->record.request.slice, slice) == 0)
            return true;
    return false;
}

bool task_put_back(struct task *task, const struct err *error)
{
    struct request_record *record = &task->record;
    struct tasks *tasks = task->tasks;
    struct err err;
    /* A pool that was found full by writing to it says nothing of how much would help. */
    if (!is_for_want_of_room(error) || (error->code == ERR_POOL_FULL && !task->short_bytes) ||
        task->again >= TASK_ATTEMPTS || is_to_be_terminated(task) ||
        !task_make_room(tasks, task->short_bytes))
        return false;
    log_info("%s %s begins again when there is room", operation_name(record->request.operation),
             record->request.slice);
    must(store_begin(tasks->config.store, &err), &err);
    task_apply_failed(task);
    record->phase = REQUEST_QUEUED;
    record->step = 0;
    record->error = (struct err){0};
    json_decref(record->scratch);
    record->scratch = NULL;
    must(store_request_update(tasks->config.store, record, &err), &err);
    must(store_commit(tasks->config.store, &err), &err);
    outbox_flush(tasks->config.outbox);
    plan_free(&task->plan);
    task->prepared = false;
    task->short_bytes = 0;
    task->wants_room = true;
    task->began = false;
    task->attempts = 0;
    task->again++;
    return true;
}
