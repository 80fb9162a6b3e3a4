/* What the store learns when a step begins and ends. */
#include "task_internal.h"

#include "console.h"
#include "must.h"

#include <string.h>

static bool find_slice(struct task *task, struct slice *slice)
{
    struct err err;
    memset(slice, 0, sizeof(*slice));
    return must(
               store_slice_find(task->tasks->config.store, task->record.request.slice, slice, &err),
               &err) == 1;
}

static void put_slice(struct task *task, struct slice *slice)
{
    struct err err;
    must(store_slice_put(task->tasks->config.store, slice, &err), &err);
    slice_free(slice);
}

static bool find_image(struct task *task, struct image *image)
{
    struct err err;
    return task->image[0] &&
           must(store_image_find(task->tasks->config.store, task->image, image, &err), &err) == 1;
}

static void put_image(struct task *task, const struct image *image)
{
    struct err err;
    must(store_image_put(task->tasks->config.store, image, &err), &err);
}

static uint64_t number(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value > 0 ? (uint64_t)value : 0;
}

/* --- Before a step ----------------------------------------------------------------------------- */

/* An image that was fetched for this slice is known in size only now. */
static int gate_clone(struct task *task, struct err *err)
{
    struct slice slice;
    struct image image;
    if (task->record.request.operation != OP_SLICE_PROVISION || !find_image(task, &image) ||
        !find_slice(task, &slice))
        return 0;
    uint64_t disk_gib = slice.disk_gib;
    slice_free(&slice);
    if (image.size_bytes > disk_gib * GIB)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "image %s has %llu MiB, more than the disk of %llu GiB", image.id,
                       (unsigned long long)((image.size_bytes + MIB - 1) / MIB),
                       (unsigned long long)disk_gib);
    return 0;
}

/* The snapshot is entered before it is made, so that its space is promised from here on. */
static int gate_snapshot(struct task *task, const struct step *step, struct err *err)
{
    struct snapshot_args args;
    struct capacity capacity;
    struct err store_error;
    const struct storage *storage = &task->tasks->config.backend->storage;
    uint64_t mapped = number(task->record.scratch, "mapped_bytes");
    struct snapshot entered;
    if (snapshot_parse(OP_SNAPSHOT_CREATE, task->record.request.args, &args, err) < 0)
        return -1;
    /* Before a crash, with its space: that is not asked for twice. */
    if (must(store_snapshot_find(task->tasks->config.store, args.snapshot, &entered, &store_error),
             &store_error) == 1)
        return 0;
    if (task_disk_capacity(task->tasks, &capacity, err) < 0 ||
        (step->flag && capacity.storage &&
         storage->mapped(storage->state, step->name, &mapped, err) < 0))
        return -1;
    if (admit_disk(&capacity, mapped, "the snapshot", err) < 0) {
        task->short_bytes = admit_disk_short_bytes(&capacity, mapped);
        return -1;
    }
    struct snapshot snapshot = {.created_ms = wall_ms(),
                                .thin_id = step->thin_id,
                                .reserved_bytes = mapped,
                                .size_bytes = step->bytes};
    copy_text(snapshot.id, sizeof(snapshot.id), args.snapshot);
    copy_text(snapshot.name, sizeof(snapshot.name), args.name);
    copy_text(snapshot.slice, sizeof(snapshot.slice), task->record.request.slice);
    must(store_snapshot_put(task->tasks->config.store, &snapshot, &store_error), &store_error);
    return 0;
}

bool task_keeps(struct task *task, const struct step *step)
{
    struct image image;
    return (step->kind == STEP_IMAGE_IMPORT || step->kind == STEP_FILE_IMPORT) &&
           find_image(task, &image) && image.ready;
}

static int gate(struct task *task, const struct step *step, struct err *err)
{
    const struct tasks_config *config = &task->tasks->config;
    if (step->kind == STEP_DISK_ACTIVATE && step->flag)
        json_object_set_new(task->record.scratch, "disk_begun", json_true());
    if (step->kind == STEP_DISK_CLONE)
        return gate_clone(task, err);
    if (step->kind == STEP_SNAPSHOT_TAKE)
        return gate_snapshot(task, step, err);
    if (step->kind == STEP_VOLUME_ACTIVATE && task->record.request.operation == OP_VOLUME_RESIZE)
        return task_gate_resize(task, step, err);
    if (step->kind == STEP_MEMORY_SAVE)
        return task_gate_memory(task, step, err);
    if (step->kind == STEP_DOMAIN_START && config->domain_starting)
        config->domain_starting(
            config->context, task->record.request.slice,
            console_size(config->paths.console_dir, task->record.request.slice));
    return 0;
}

int task_enter(struct task *task, const struct step *step, bool tell, struct err *err)
{
    if (gate(task, step, err) < 0)
        return -1;
    if (tell && !task->record.internal)
        outbox_add(task->tasks->config.outbox,
                   EVENT(.type = "request.step", .request = task->record.request.id,
                         .slice = task->record.request.slice, .step = step_name(step->kind)));
    return 0;
}

/* --- After a step ------------------------------------------------------------------------------ */

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
static int imported(struct task *task, const json_t *output, struct err *err)
{
    struct image image;
    if (!find_image(task, &image))
        return 0;
    image.size_bytes = number(output, "size_bytes");
    image.mapped_bytes = number(output, "mapped_bytes");
    put_image(task, &image);
    if (image.kind == IMAGE_DISK && check_room(task, err) < 0)
        return -1;
    image.ready = true;
    task_image_used(task, &image);
    put_image(task, &image);
    static const char *const kinds[] = {"disk", "kernel", "ramdisk"};
    json_t *result =
        json_pack("{s:s, s:s, s:s, s:I}", "id", image.id, "state", "ready", "kind",
                  kinds[image.kind], "size_mib", (json_int_t)((image.size_bytes + MIB - 1) / MIB));
    outbox_add(task->tasks->config.outbox,
               EVENT(.type = "image.state", .request = task->record.request.id, .result = result));
    json_decref(result);
    return 0;
}

int task_apply_progress(struct task *task, uint64_t mapped_bytes, struct err *err)
{
    struct image image;
    if (!mapped_bytes || !find_image(task, &image) || image.ready ||
        mapped_bytes <= image.mapped_bytes)
        return 0;
    image.mapped_bytes = mapped_bytes;
    put_image(task, &image);
    if (check_room(task, err) == 0 ||
        (err->code == ERR_INSUFFICIENT_DISK && task_make_room(task->tasks, task->short_bytes)))
        return 0;
    return -1;
}

static void domain_started(struct task *task, int domain_id)
{
    struct slice slice;
    if (!find_slice(task, &slice))
        return;
    slice.domain_id = domain_id;
    slice.domain = domain_id < 0 ? (struct domain_size){0} : slice_size(&slice);
    put_slice(task, &slice);
}

static void swap_disk(struct task *task, uint32_t thin_id)
{
    struct slice slice;
    if (!find_slice(task, &slice))
        return;
    /* Until it is removed; a request that fails before must not forget it. */
    if (slice.disk_thin_id != thin_id)
        json_object_set_new(task->record.scratch, "replaced",
                            json_integer((json_int_t)slice.disk_thin_id));
    slice.disk_thin_id = thin_id;
    task_memory_swapped(task, &slice);
    put_slice(task, &slice);
}

static void removed(struct task *task, uint32_t thin_id)
{
    if (number(task->record.scratch, "replaced") == thin_id)
        json_object_del(task->record.scratch, "replaced");
}

static void snapshot_taken(struct task *task, const json_t *output)
{
    struct snapshot_args args;
    struct snapshot snapshot;
    struct err err;
    struct store *store = task->tasks->config.store;
    if (snapshot_parse(OP_SNAPSHOT_CREATE, task->record.request.args, &args, &err) < 0 ||
        must(store_snapshot_find(store, args.snapshot, &snapshot, &err), &err) == 0)
        return;
    snapshot.reserved_bytes = number(output, "mapped_bytes");
    must(store_snapshot_put(store, &snapshot, &err), &err);
}

int task_apply_end(struct task *task, const struct step *step, const json_t *output,
                   struct err *err)
{
    json_t *scratch = task->record.scratch;
    switch (step->kind) {
    case STEP_IMAGE_IMPORT:
    case STEP_FILE_IMPORT:
        return imported(task, output, err);
    case STEP_DOMAIN_VCPUS:
    case STEP_DOMAIN_MEMORY:
    case STEP_DISK_GROW:
        task_apply_resized(task, step, output);
        return 0;
    case STEP_DOMAIN_START:
        domain_started(task, (int)number(output, "domain_id"));
        return 0;
    case STEP_DOMAIN_DESTROY:
        domain_started(task, -1);
        return 0;
    case STEP_DISK_SWAP:
        swap_disk(task, step->thin_id);
        return 0;
    case STEP_VOLUME_REMOVE:
        removed(task, step->thin_id);
        return 0;
    case STEP_DOMAIN_WAIT:
        json_object_set(scratch, "forced", json_object_get(output, "forced"));
        return 0;
    case STEP_SNAPSHOT_MEASURE:
        json_object_set(scratch, "mapped_bytes", json_object_get(output, "mapped_bytes"));
        return 0;
    case STEP_SNAPSHOT_TAKE:
        snapshot_taken(task, output);
        return 0;
    case STEP_SNAPSHOT_EXPORT:
        json_object_set(scratch, "export", (json_t *)(uintptr_t)output);
        return 0;
    case STEP_MEMORY_SAVE:
        task_memory_saved(task, output);
        return 0;
    case STEP_CHECKPOINT_TAKE:
        task_checkpoint_taken(task, output);
        return 0;
    case STEP_DOMAIN_RUN:
        domain_started(task, (int)json_integer_value(json_object_get(output, "domain_id")));
        return 0;
    default:
        return 0;
    }
}
