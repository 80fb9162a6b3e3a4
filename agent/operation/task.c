/* Requests that have not ended, and what each concerns. */
#include "operation/task.h"

#include "base/err.h"
#include "base/ident.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/request.h"
#include "model/slice.h"
#include "operation/type.h"
#include "store/must.h"
#include "store/store.h"

#include <string.h>

bool task_has(const struct task *task, enum operation_trait trait)
{
    return task->type->traits & trait;
}

json_t *task_made_way(const struct task *task)
{
    return json_object_get(task->record.scratch, "made_way");
}

void task_note_made_way(struct task *task, bool of_provision)
{
    json_decref(task->record.scratch);
    task->record.scratch = json_pack("{s:b}", "made_way", of_provision);
}

bool task_stays(const struct task *task)
{
    return task->type->stays && task->type->stays(task);
}

bool task_image_exclusive(const struct task *task)
{
    struct image image;
    if (!task_has(task, OPERATION_MAKES_SLICE))
        return task->image[0];
    return store_image_find(task->tasks->config.store, task->image, &image, NULL) != 1 ||
           !image.ready;
}

/* What the node itself deletes it can spare: then also requests that came later count. */
bool task_image_shared(const struct task *task, const char *image)
{
    bool later = false;
    for (const struct task *other = task->tasks->first; other; other = other->next) {
        if (other == task)
            later = true;
        else if ((!later || task->record.internal) && strcmp(other->image, image) == 0)
            return true;
    }
    return false;
}

bool task_slice_find(struct task *task, struct slice *slice)
{
    struct err err;
    memset(slice, 0, sizeof(*slice));
    return must(
               store_slice_find(task->tasks->config.store, task->record.request.slice, slice, &err),
               &err) == 1;
}

void task_slice_put(struct task *task, const struct slice *slice)
{
    struct err err;
    must(store_slice_put(task->tasks->config.store, slice, &err), &err);
}

uint64_t output_number(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value > 0 ? (uint64_t)value : 0;
}

static const char *snapshot_of(const struct request *request)
{
    const char *id = json_string_value(json_object_get(request->args, "snapshot"));
    return id && uuid_valid(id) ? id : "";
}

static const char *image_of(const struct operation_type *type, const struct request *request)
{
    const char *in = type->image_in;
    const json_t *holder = in && in[0] ? json_object_get(request->args, in) : request->args;
    const char *id = in ? json_string_value(json_object_get(holder, "id")) : NULL;
    return id && uuid_valid(id) ? id : "";
}

static const char *volume_of(const struct operation_type *type, const struct request *request)
{
    bool concerned = type->traits & OPERATION_OF_VOLUME;
    const char *id = concerned ? json_string_value(json_object_get(request->args, "volume")) : NULL;
    return id && uuid_valid(id) ? id : "";
}

struct task *tasks_append(struct tasks *tasks, const struct operation_type *type,
                          struct request_record *record)
{
    struct task *task = xcalloc(1, sizeof(*task));
    const struct request *request = &task->record.request;
    task->tasks = tasks;
    task->type = type;
    task->output = -1;
    task->record = *record;
    memset(record, 0, sizeof(*record));
    copy_text(task->image, sizeof(task->image), image_of(type, request));
    copy_text(task->snapshot, sizeof(task->snapshot), snapshot_of(request));
    copy_text(task->volume, sizeof(task->volume), volume_of(type, request));
    copy_text(task->slice, sizeof(task->slice), request->slice);
    struct task **place = &tasks->first;
    while (*place)
        place = &(*place)->next;
    *place = task;
    return task;
}

bool tasks_slice_busy(const struct tasks *tasks, const char *slice)
{
    for (const struct task *task = tasks->first; task; task = task->next)
        if (strcmp(task->slice, slice) == 0 && !task_has(task, OPERATION_LOOKS | OPERATION_SENDS))
            return true;
    return false;
}

unsigned tasks_at_work(const struct tasks *tasks)
{
    unsigned count = 0;
    for (const struct task *task = tasks->first; task; task = task->next)
        /* The node's reboot waits for the others: it ends with the machine. An export that is
         * cut off is sent again after the next start. */
        count += !task_has(task, OPERATION_LOOKS | OPERATION_SENDS) &&
                 !task_has(task, OPERATION_ENDS_WITH_MACHINE) &&
                 (task->worker || task->prepared || task->record.internal);
    return count;
}

unsigned tasks_count(const struct tasks *tasks)
{
    unsigned count = 0;
    for (const struct task *task = tasks->first; task; task = task->next)
        count++;
    return count;
}
