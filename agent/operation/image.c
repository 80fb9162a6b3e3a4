/* What operations on images have in common. */
#include "operation/image.h"

#include "base/err.h"
#include "base/memory.h"
#include "capacity/admit.h"
#include "model/image.h"
#include "operation/capacity.h"
#include "operation/task.h"
#include "operation/thin_id.h"
#include "operation/type.h"
#include "plan/steps.h"
#include "store/must.h"
#include "store/outbox.h"
#include "store/store.h"

#include <string.h>

static void tell_image(struct task *task, const struct image *image, const char *state)
{
    json_t *result = json_pack("{s:s, s:s}", "id", image->id, "state", state);
    outbox_add(task->tasks->config.outbox,
               EVENT(.type = "image.state", .request = task->record.request.id, .result = result));
    json_decref(result);
}

int task_check_kernel(struct task *task, const char *id, enum image_kind kind, struct err *err)
{
    struct image image;
    int found = must(store_image_find(task->tasks->config.store, id, &image, err), err);
    if (!found || !image.ready)
        return err_set(err, ERR_IMAGE_NOT_FOUND, "there is no %s %s",
                       kind == IMAGE_KERNEL ? "kernel" : "ramdisk", id);
    if (image.kind != kind)
        return err_set(err, ERR_INVALID_ARGUMENT, "image %s is no %s", id,
                       kind == IMAGE_KERNEL ? "kernel" : "ramdisk");
    return 0;
}

/* Finds the image a slice is made from, or prepares to fetch it: `asked` is what the request says
 * and becomes what the store has. */
int task_find_image(struct task *task, struct image *asked, bool *ready, struct err *err)
{
    struct image image;
    int found = must(store_image_find(task->tasks->config.store, asked->id, &image, err), err);
    *ready = found && image.ready;
    if (*ready) {
        if (image.kind != IMAGE_DISK)
            return err_set(err, ERR_INVALID_ARGUMENT, "image %s is no disk", asked->id);
        if (asked->sha256[0] && image.sha256[0] && strcmp(asked->sha256, image.sha256) != 0)
            return err_set(err, ERR_IMAGE_EXISTS, "image %s is here with another sha256, %s",
                           asked->id, image.sha256);
        task_image_used(task, &image);
        must(store_image_put(task->tasks->config.store, &image, err), err);
        *asked = image;
        return 0;
    }
    if (!asked->url[0])
        return err_set(err, ERR_IMAGE_NOT_FOUND, "image %s is not here and has no url", asked->id);
    /* What a deletion that failed has left is removed before the import. */
    if (found)
        asked->thin_id = image.thin_id;
    return 0;
}

int task_put_new_image(struct task *task, struct image *image, struct err *err)
{
    if (image->kind == IMAGE_DISK && !image->thin_id &&
        task_next_thin_id(task, &image->thin_id, err) < 0)
        return -1;
    must(store_image_put(task->tasks->config.store, image, err), err);
    tell_image(task, image, "fetching");
    return 0;
}

/* What is raw for sure needs no second volume; whether the rest does shows when it comes. */
int task_scratch_id(struct task *task, const struct image *image, uint32_t *thin_id,
                    struct err *err)
{
    *thin_id = 0;
    if (image->kind != IMAGE_DISK || image->format == IMAGE_FORMAT_RAW)
        return 0;
    return task_next_thin_id(task, thin_id, err);
}

/* What the pool must have room for at least. A qcow2 or VHD file lies there beside the disk. */
uint64_t task_import_bytes(const struct image *image)
{
    if (image->compression != COMPRESSION_NONE)
        return 0;
    return image->format > IMAGE_FORMAT_RAW ? 2 * image->transfer_bytes : image->transfer_bytes;
}

bool image_find(struct task *task, struct image *image)
{
    struct err err;
    return task->image[0] &&
           must(store_image_find(task->tasks->config.store, task->image, image, &err), &err) == 1;
}

static void image_put(struct task *task, const struct image *image)
{
    struct err err;
    must(store_image_put(task->tasks->config.store, image, &err), &err);
}

bool image_keeps(struct task *task, const struct step *step)
{
    struct image image;
    return (step->kind == STEP_IMAGE_IMPORT || step->kind == STEP_FILE_IMPORT) &&
           image_find(task, &image) && image.ready;
}

/* An image that takes more than is left is stopped while it comes, not when the pool is full. */
static int check_room(struct task *task, struct err *err)
{
    struct capacity capacity;
    if (task_disk_capacity(task->tasks, &capacity, err) < 0)
        return -1;
    if (capacity.disk_promised_bytes > capacity.disk_bytes) {
        task->short_bytes = capacity.disk_promised_bytes - capacity.disk_bytes;
        return err_set(err, ERR_INSUFFICIENT_DISK,
                       "image %s does not fit: %llu MiB of the pool's %llu MiB would be promised",
                       task->image, (unsigned long long)(capacity.disk_promised_bytes / MIB),
                       (unsigned long long)(capacity.disk_bytes / MIB));
    }
    return 0;
}

/* Its space counts before the image is used: when there is not enough, it is not taken as ready and
 * goes with the undo. */
int image_end_step(struct task *task, const struct step *step, const json_t *output,
                   struct err *err)
{
    struct image image;
    if (step->kind != STEP_IMAGE_IMPORT && step->kind != STEP_FILE_IMPORT)
        return 0;
    if (!image_find(task, &image))
        return 0;
    image.size_bytes = output_number(output, "size_bytes");
    image.mapped_bytes = output_number(output, "mapped_bytes");
    image_put(task, &image);
    if (image.kind == IMAGE_DISK && check_room(task, err) < 0)
        return -1;
    image.ready = true;
    task_image_used(task, &image);
    image_put(task, &image);
    static const char *const kinds[] = {"disk", "kernel", "ramdisk"};
    json_t *result =
        json_pack("{s:s, s:s, s:s, s:I}", "id", image.id, "state", "ready", "kind",
                  kinds[image.kind], "size_mib", (json_int_t)((image.size_bytes + MIB - 1) / MIB));
    outbox_add(task->tasks->config.outbox,
               EVENT(.type = "image.state", .request = task->record.request.id, .result = result));
    json_decref(result);
    return 0;
}

int image_progress(struct task *task, uint64_t mapped_bytes, struct err *err)
{
    struct image image;
    if (!mapped_bytes || !image_find(task, &image) || image.ready ||
        mapped_bytes <= image.mapped_bytes)
        return 0;
    image.mapped_bytes = mapped_bytes;
    image_put(task, &image);
    return check_room(task, err);
}

void image_forget(struct task *task, const char *state, const struct err *error)
{
    struct err err;
    must(store_image_delete(task->tasks->config.store, task->image, &err), &err);
    json_t *result = json_pack("{s:s, s:s}", "id", task->image, "state", state);
    if (task->record.internal)
        json_object_set_new(result, "reason", json_string("collected"));
    outbox_add(task->tasks->config.outbox,
               EVENT(.type = "image.state",
                     .request = task->record.internal ? NULL : task->record.request.id,
                     .result = result, .error = error));
    json_decref(result);
}
