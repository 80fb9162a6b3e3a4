/* Requests that have not ended, and what each concerns. */
#include "operation/task.h"

#include "base/err.h"
#include "base/ident.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/arguments.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/request.h"
#include "model/slice.h"
#include "store/must.h"
#include "store/store.h"

#include <string.h>

bool task_image_exclusive(const struct task *task)
{
    struct image image;
    if (task->record.request.operation != OP_SLICE_PROVISION)
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

bool task_is_export(const struct task *task)
{
    return task->record.request.operation == OP_SNAPSHOT_EXPORT;
}

bool task_is_console(const struct task *task)
{
    return task->record.request.operation == OP_SLICE_CONSOLE;
}

bool task_console_args(const struct task *task, struct console_args *args)
{
    return task_is_console(task) && console_parse(task->record.request.args, args, NULL) == 0;
}

bool task_stays(const struct task *task)
{
    struct console_args args;
    return task_console_args(task, &args) && args.follow_seconds > 0;
}

static const char *image_of(const struct request *request)
{
    const json_t *holder = request->operation == OP_SLICE_PROVISION
                               ? json_object_get(request->args, "image")
                               : request->args;
    bool concerned = request->operation == OP_SLICE_PROVISION ||
                     request->operation == OP_IMAGE_FETCH || request->operation == OP_IMAGE_DELETE;
    const char *id = concerned ? json_string_value(json_object_get(holder, "id")) : NULL;
    return id && uuid_valid(id) ? id : "";
}

static const char *snapshot_of(const struct request *request)
{
    const char *id = json_string_value(json_object_get(request->args, "snapshot"));
    return id && uuid_valid(id) ? id : "";
}

static const char *volume_of(const struct request *request)
{
    bool concerned = strncmp(operation_name(request->operation), "volume.", 7) == 0;
    const char *id = concerned ? json_string_value(json_object_get(request->args, "volume")) : NULL;
    return id && uuid_valid(id) ? id : "";
}

/* Takes over what `record` owns. */
struct task *tasks_append(struct tasks *tasks, struct request_record *record)
{
    struct task *task = xcalloc(1, sizeof(*task));
    task->tasks = tasks;
    task->output = -1;
    task->record = *record;
    memset(record, 0, sizeof(*record));
    copy_text(task->image, sizeof(task->image), image_of(&task->record.request));
    copy_text(task->snapshot, sizeof(task->snapshot), snapshot_of(&task->record.request));
    copy_text(task->volume, sizeof(task->volume), volume_of(&task->record.request));
    copy_text(task->slice, sizeof(task->slice), task->record.request.slice);
    struct task **place = &tasks->first;
    while (*place)
        place = &(*place)->next;
    *place = task;
    return task;
}

bool tasks_slice_busy(const struct tasks *tasks, const char *slice)
{
    for (const struct task *task = tasks->first; task; task = task->next)
        if (strcmp(task->slice, slice) == 0 && !task_is_console(task) && !task_is_export(task))
            return true;
    return false;
}

unsigned tasks_at_work(const struct tasks *tasks)
{
    unsigned count = 0;
    for (const struct task *task = tasks->first; task; task = task->next)
        /* The node's reboot waits for the others: it ends with the machine. An export that is cut off
         * is sent again after the next start. */
        count += !task_is_console(task) && !task_is_export(task) &&
                 task->record.request.operation != OP_NODE_REBOOT &&
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

uint32_t task_next_thin_id(struct task *task)
{
    uint32_t thin_id;
    struct err err;
    must(store_next_thin_id(task->tasks->config.store, &thin_id, &err), &err);
    return thin_id;
}
