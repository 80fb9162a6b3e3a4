/* What there is on the node and what is promised, with what requests at work add to it. */
#include "operation/capacity.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/memory.h"
#include "capacity/admit.h"
#include "capacity/capacity.h"
#include "model/arguments.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/request.h"
#include "model/size.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "operation/task.h"
#include "operation/type.h"
#include "store/must.h"
#include "store/store.h"

#include <string.h>

size_t task_all_images(struct tasks *tasks, struct image **images)
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
    size_t count = task_all_images(task->tasks, &images);
    image->used_ms = wall_ms();
    for (size_t i = 0; i < count; i++)
        if (images[i].used_ms >= image->used_ms)
            image->used_ms = images[i].used_ms + 1;
}

bool task_image_is_spare(const struct tasks *tasks, const struct image *image)
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
    size_t count = task_all_images(tasks, &images);
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        if (task_image_is_spare(tasks, &images[i]))
            bytes += images[i].mapped_bytes;
    return bytes;
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

struct slice task_restored_slice(const struct slice *slice, const struct snapshot *snapshot)
{
    struct slice restored = *slice;
    slice_set_size(&restored, &snapshot->memory.size);
    restored.domain_id = -1; /* the present domain goes first */
    return restored;
}

bool task_find_reverted(struct task *task, struct snapshot *snapshot)
{
    const struct request *request = &task->record.request;
    struct snapshot_args args;
    struct err err;
    return request->operation == OP_SNAPSHOT_REVERT &&
           snapshot_parse(request->operation, request->args, &args, &err) == 0 &&
           must(store_snapshot_find(task->tasks->config.store, args.snapshot, snapshot, &err),
                &err) == 1;
}

static uint64_t revert_memory_mib(struct task *task)
{
    struct snapshot snapshot;
    struct slice slice;
    struct err err;
    if (!task->prepared || !task_find_reverted(task, &snapshot) || !snapshot.memory.thin_id ||
        must(store_slice_find(task->tasks->config.store, task->record.request.slice, &slice, &err),
             &err) != 1)
        return 0;
    struct slice restored = task_restored_slice(&slice, &snapshot);
    uint64_t now = admit_slice_memory_mib(&slice), then = admit_slice_memory_mib(&restored);
    slice_free(&slice);
    return then > now ? then - now : 0;
}

uint64_t task_reverts_memory_mib(struct tasks *tasks, const char *except)
{
    uint64_t memory_mib = 0;
    for (struct task *task = tasks->first; task; task = task->next)
        if (!except || strcmp(task->record.request.slice, except) != 0)
            memory_mib += revert_memory_mib(task);
    return memory_mib;
}

void tasks_state_full(struct tasks *tasks, bool full)
{
    tasks->state_full = full;
}
