/* Disk images are a cache: when a request needs their space, those that no request concerns go, the
 * one used least recently first. A slice's disk shares blocks with its image but does not need it. */
#include "task_internal.h"

#include "capacity.h"
#include "log.h"
#include "must.h"

#include <stdlib.h>
#include <string.h>

static bool is_collection(const struct task *task)
{
    return task->record.internal && task->record.request.operation == OP_IMAGE_DELETE;
}

bool task_collecting(const struct tasks *tasks)
{
    for (const struct task *task = tasks->first; task; task = task->next)
        if (is_collection(task))
            return true;
    return false;
}

/* An array owned by the caller. */
static size_t all_images(struct tasks *tasks, struct image **images)
{
    size_t count;
    struct err err;
    must(store_images(tasks->config.store, images, &count, &err), &err);
    return count;
}

/* In the order of use, also where the clock is set back. */
void task_image_used(struct task *task, struct image *image)
{
    CLEANUP_FREE struct image *images = NULL;
    size_t count = all_images(task->tasks, &images);
    image->used_ms = wall_ms();
    for (size_t i = 0; i < count; i++)
        if (images[i].used_ms >= image->used_ms)
            image->used_ms = images[i].used_ms + 1;
}

static bool is_spare(const struct tasks *tasks, const struct image *image)
{
    if (image->kind != IMAGE_DISK || !image->ready || image->mapped_bytes == 0)
        return false;
    for (const struct task *task = tasks->first; task; task = task->next)
        if (strcmp(task->image, image->id) == 0)
            return false;
    return true;
}

uint64_t task_spare_bytes(struct tasks *tasks)
{
    CLEANUP_FREE struct image *images = NULL;
    size_t count = all_images(tasks, &images);
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        if (is_spare(tasks, &images[i]))
            bytes += images[i].mapped_bytes;
    return bytes;
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
    must(tasks_submit(tasks, request, true, &err), &err);
    json_decref(request);
}

bool task_make_room(struct tasks *tasks, uint64_t short_bytes)
{
    CLEANUP_FREE struct image *images = NULL;
    const struct image *oldest = NULL;
    uint64_t bytes = 0;
    if (task_collecting(tasks))
        return true;
    size_t count = all_images(tasks, &images);
    for (size_t i = 0; i < count; i++) {
        if (!is_spare(tasks, &images[i]))
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

static void take_off(uint64_t *bytes, uint64_t less)
{
    *bytes -= less < *bytes ? less : *bytes;
}

static int read_capacity(struct tasks *tasks, const char *except, uint64_t known_memory_mib,
                         struct capacity *capacity, struct err *err)
{
    if (capacity_read(tasks->config.backend, tasks->config.store, except, known_memory_mib,
                      capacity, err) < 0)
        return -1;
    tasks->memory_mib = capacity->memory_mib;
    capacity->memory_promised_mib += task_reverts_memory_mib(tasks, except);
    take_off(&capacity->disk_promised_bytes, tasks->assumed_bytes);
    take_off(&capacity->pool.data_used_bytes, tasks->assumed_bytes);
    capacity->state_full = tasks->state_full;
    return 0;
}

int tasks_capacity(struct tasks *tasks, const char *except, struct capacity *capacity,
                   struct err *err)
{
    return read_capacity(tasks, except, tasks->running ? tasks->memory_mib : 0, capacity, err);
}

int task_disk_capacity(struct tasks *tasks, struct capacity *capacity, struct err *err)
{
    return read_capacity(tasks, NULL, tasks->memory_mib, capacity, err);
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
        if (other->record.request.operation == OP_SLICE_TERMINATE &&
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
