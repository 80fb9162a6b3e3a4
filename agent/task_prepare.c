/* Before a request runs: is it allowed here and now, what will it do, and what does the store say
 * from now on. */
#include "task_internal.h"

#include "must.h"

#include <stdlib.h>
#include <string.h>

#define KERNEL_LIMIT_BYTES (512 * MIB)

bool task_image_exclusive(const struct task *task)
{
    struct image image;
    if (task->record.request.operation != OP_SLICE_PROVISION)
        return task->image[0];
    return store_image_find(task->tasks->config.store, task->image, &image, NULL) != 1 ||
           !image.ready;
}

bool task_image_shared(const struct task *task, const char *image)
{
    for (const struct task *other = task->tasks->first; other && other != task; other = other->next)
        if (strcmp(other->image, image) == 0)
            return true;
    return false;
}

static uint32_t next_thin_id(struct task *task)
{
    uint32_t thin_id;
    struct err err;
    must(store_next_thin_id(task->tasks->config.store, &thin_id, &err), &err);
    return thin_id;
}

static void put_slice(struct task *task, const struct slice *slice)
{
    struct err err;
    must(store_slice_put(task->tasks->config.store, slice, &err), &err);
}

static void tell_image(struct task *task, const struct image *image, const char *state)
{
    json_t *result = json_pack("{s:s, s:s}", "id", image->id, "state", state);
    outbox_add(task->tasks->config.outbox,
               EVENT(.type = "image.state", .request = task->record.request.id, .result = result));
    json_decref(result);
}

/* --- Images ------------------------------------------------------------------------------------ */

static int check_kernel(struct task *task, const char *id, enum image_kind kind, struct err *err)
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
static int find_image(struct task *task, struct image *asked, bool *ready, struct err *err)
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
        *asked = image;
        return 0;
    }
    if (!asked->url[0])
        return err_set(err, ERR_IMAGE_NOT_FOUND, "image %s is not here and has no url", asked->id);
    return 0;
}

static void put_new_image(struct task *task, struct image *image)
{
    struct err err;
    if (image->kind == IMAGE_DISK)
        image->thin_id = next_thin_id(task);
    must(store_image_put(task->tasks->config.store, image, &err), &err);
    tell_image(task, image, "fetching");
}

static int prepare_fetch(struct task *task, struct err *err)
{
    struct image image;
    struct capacity capacity;
    struct plan_facts facts = {.image = &image, .image_limit_bytes = KERNEL_LIMIT_BYTES};
    if (image_parse(task->record.request.args, &image, err) < 0)
        return -1;
    struct image present;
    if (must(store_image_find(task->tasks->config.store, image.id, &present, err), err) == 1)
        return err_set(err, ERR_IMAGE_EXISTS, "image %s is here already", image.id);
    if (tasks_capacity(task->tasks, NULL, &capacity, err) < 0)
        return -1;
    if (image.kind == IMAGE_DISK) {
        uint64_t known = image.compression == COMPRESSION_NONE ? image.transfer_bytes : 0;
        if (admit_disk(&capacity, known, "the image", err) < 0)
            return -1;
        facts.image_limit_bytes = admit_disk_free_bytes(&capacity) / MIB * MIB;
    } else if (!capacity.storage) {
        return err_set(err, ERR_STORAGE_MISSING, "the node has no storage to keep a kernel on");
    }
    put_new_image(task, &image);
    plan_make(OP_IMAGE_FETCH, &facts, &task->plan);
    return 0;
}

static int prepare_image_delete(struct task *task, struct err *err)
{
    struct store *store = task->tasks->config.store;
    char id[UUID_TEXT_BYTES];
    struct image image;
    struct slice *slices;
    size_t count;
    bool used = false;
    if (image_delete_parse(task->record.request.args, id, err) < 0)
        return -1;
    if (must(store_image_find(store, id, &image, err), err) == 0)
        return err_set(err, ERR_IMAGE_NOT_FOUND, "there is no image %s", id);
    if (task_image_shared(task, id))
        return err_set(err, ERR_IMAGE_IN_USE, "a request uses image %s", id);
    must(store_slices(store, &slices, &count, err), err);
    for (size_t i = 0; i < count; i++)
        used |= slices[i].boot == BOOT_KERNEL &&
                (strcmp(slices[i].kernel, id) == 0 || strcmp(slices[i].ramdisk, id) == 0);
    slices_free(slices, count);
    if (used)
        return err_set(err, ERR_IMAGE_IN_USE, "a slice starts from image %s", id);
    struct plan_facts facts = {.image = &image};
    image.ready = false;
    must(store_image_put(store, &image, err), err);
    plan_make(OP_IMAGE_DELETE, &facts, &task->plan);
    return 0;
}

/* --- Provision --------------------------------------------------------------------------------- */

static int choose_type(struct slice *slice, const struct capacity *capacity, struct err *err)
{
    if (!slice->type_given)
        slice->type = capacity->pvh ? SLICE_PVH : SLICE_PV;
    if (slice->type == SLICE_PVH ? capacity->pvh : capacity->pv)
        return 0;
    return err_set(err, ERR_INVALID_ARGUMENT, "this node cannot run %s slices",
                   slice->type == SLICE_PVH ? "pvh" : "pv");
}

static int check_image_size(const struct slice *slice, const struct image *image, struct err *err)
{
    if (image->size_bytes > slice->disk_gib * GIB)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "image %s has %llu MiB, more than the disk of %llu GiB", image->id,
                       (unsigned long long)((image->size_bytes + MIB - 1) / MIB),
                       (unsigned long long)slice->disk_gib);
    return 0;
}

static int admit_provision(struct task *task, struct slice *slice, struct image *image, bool *ready,
                           struct err *err)
{
    struct capacity capacity;
    if (slice->boot == BOOT_KERNEL &&
        (check_kernel(task, slice->kernel, IMAGE_KERNEL, err) < 0 ||
         (slice->ramdisk[0] && check_kernel(task, slice->ramdisk, IMAGE_RAMDISK, err) < 0)))
        return -1;
    if (tasks_capacity(task->tasks, NULL, &capacity, err) < 0 || admit_pool(&capacity, err) < 0 ||
        choose_type(slice, &capacity, err) < 0 || find_image(task, image, ready, err) < 0 ||
        check_image_size(slice, image, err) < 0 || admit_vcpus(&capacity, slice->vcpus, err) < 0)
        return -1;
    if (slice->desired_running && admit_memory(&capacity, slice, err) < 0)
        return -1;
    uint64_t disk = admit_slice_disk_bytes(slice);
    if (!*ready && image->compression == COMPRESSION_NONE)
        disk += image->transfer_bytes;
    return admit_disk(&capacity, disk, "the slice", err);
}

static int prepare_provision(struct task *task, struct err *err)
{
    const struct request *request = &task->record.request;
    struct store *store = task->tasks->config.store;
    struct slice slice = {0}, present = {0};
    struct image image = {0};
    bool ready;
    if (provision_parse(request->slice, request->args, &slice, &image, err) < 0)
        return -1;
    if (must(store_slice_find(store, slice.id, &present, err), err) == 1) {
        slice_free(&present);
        slice_free(&slice);
        return err_set(err, ERR_SLICE_EXISTS, "slice %s exists already", request->slice);
    }
    if (admit_provision(task, &slice, &image, &ready, err) < 0) {
        slice_free(&slice);
        return -1;
    }
    if (!ready)
        put_new_image(task, &image);
    slice.state = SLICE_PROVISIONING;
    slice.domain_id = -1;
    slice.disk_thin_id = next_thin_id(task);
    slice.seed_thin_id = next_thin_id(task);
    put_slice(task, &slice);
    struct plan_facts facts = {.slice = &slice,
                               .image = &image,
                               .image_ready = ready,
                               .image_limit_bytes = slice.disk_gib * GIB};
    plan_make(OP_SLICE_PROVISION, &facts, &task->plan);
    slice_free(&slice);
    return 0;
}

/* --- What is done with a slice ------------------------------------------------------------------ */

static int domain_of(struct task *task, const char *slice, struct plan_facts *facts,
                     struct err *err)
{
    struct hypervisor *hypervisor = &task->tasks->config.backend->hypervisor;
    CLEANUP_FREE struct domain_info *list = xcalloc(DOMAIN_LIST_MAX, sizeof(*list));
    size_t count;
    if (hypervisor->domain_list(hypervisor->state, list, DOMAIN_LIST_MAX, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].slice, slice) == 0) {
            facts->domain = true;
            facts->shut_down = list[i].state == DOMAIN_SHUTDOWN || list[i].state == DOMAIN_DYING;
        }
    }
    return 0;
}

static int admit_start(struct task *task, const struct slice *slice, struct err *err)
{
    struct capacity capacity;
    if (tasks_capacity(task->tasks, slice->id, &capacity, err) < 0)
        return -1;
    if (!capacity.storage)
        return err_set(err, ERR_STORAGE_MISSING, "the node has no storage");
    return admit_memory(&capacity, slice, err);
}

/* start, stop and reboot; what is so already gets an empty plan. */
static int prepare_run(struct task *task, struct slice *slice, struct plan_facts *facts,
                       struct err *err)
{
    enum operation operation = task->record.request.operation;
    bool runs = facts->domain && !facts->shut_down;
    if (operation == OP_SLICE_START
            ? json_object_size(task->record.request.args) > 0 &&
                  err_set(err, ERR_UNKNOWN_FIELD, "slice.start takes no arguments") < 0
            : stop_parse(task->record.request.args, &facts->stop, err) < 0)
        return -1;
    if (operation == OP_SLICE_REBOOT && !facts->domain && !task->record.internal)
        return err_set(err, ERR_SLICE_STATE, "slice %s is %s, not running", slice->id,
                       slice_state_name(slice->state));
    if (operation != OP_SLICE_STOP && !runs && admit_start(task, slice, err) < 0)
        return -1;
    /* What the node does by itself changes neither what is wanted nor what went wrong. */
    if (!task->record.internal) {
        slice->desired_running = operation != OP_SLICE_STOP;
        slice->error = (struct err){0};
        put_slice(task, slice);
    }
    bool nothing = operation == OP_SLICE_START ? runs : false;
    if (!nothing)
        plan_make(operation, facts, &task->plan);
    return 0;
}

static int prepare_terminate(struct task *task, struct slice *slice, struct plan_facts *facts)
{
    struct snapshot *snapshots;
    struct err err;
    slice->state = SLICE_TERMINATING;
    slice->desired_running = false;
    put_slice(task, slice);
    must(store_snapshots(task->tasks->config.store, slice->id, &snapshots, &facts->snapshot_count,
                         &err),
         &err);
    facts->snapshots = snapshots;
    plan_make(OP_SLICE_TERMINATE, facts, &task->plan);
    free(snapshots);
    return 0;
}

static int find_snapshot(struct task *task, const struct slice *slice, const char *id,
                         struct snapshot *snapshot, struct err *err)
{
    int found = must(store_snapshot_find(task->tasks->config.store, id, snapshot, err), err);
    if (!found || strcmp(snapshot->slice, slice->id) != 0)
        return err_set(err, ERR_SNAPSHOT_NOT_FOUND, "slice %s has no snapshot %s", slice->id, id);
    return 0;
}

static int prepare_snapshot(struct task *task, struct slice *slice, struct plan_facts *facts,
                            struct err *err)
{
    enum operation operation = task->record.request.operation;
    struct snapshot_args args;
    struct snapshot snapshot = {0};
    struct capacity capacity;
    if (snapshot_parse(operation, task->record.request.args, &args, err) < 0 ||
        tasks_capacity(task->tasks, NULL, &capacity, err) < 0 ||
        (operation != OP_SNAPSHOT_DELETE && admit_pool(&capacity, err) < 0))
        return -1;
    facts->snapshots = &snapshot;
    facts->snapshot_count = 1;
    if (operation == OP_SNAPSHOT_CREATE) {
        if (must(store_snapshot_find(task->tasks->config.store, args.snapshot, &snapshot, err),
                 err) == 1)
            return err_set(err, ERR_SNAPSHOT_EXISTS, "snapshot %s exists already", args.snapshot);
        snapshot.thin_id = next_thin_id(task);
    } else if (find_snapshot(task, slice, args.snapshot, &snapshot, err) < 0) {
        return -1;
    }
    if (operation == OP_SNAPSHOT_REVERT) {
        if (facts->domain && !facts->shut_down && !args.restart)
            return err_set(err, ERR_SLICE_RUNNING,
                           "slice %s is running: stop it first, or ask with restart", slice->id);
        facts->new_disk_id = next_thin_id(task);
    }
    plan_make(operation, facts, &task->plan);
    return 0;
}

static int prepare_slice(struct task *task, struct slice *slice, struct err *err)
{
    struct plan_facts facts = {.slice = slice};
    enum operation operation = task->record.request.operation;
    if (operation == OP_SLICE_CONSOLE)
        return 0;
    if (slice->state == SLICE_TERMINATING && operation != OP_SLICE_TERMINATE)
        return err_set(err, ERR_SLICE_STATE, "slice %s is being terminated", slice->id);
    if (domain_of(task, slice->id, &facts, err) < 0)
        return -1;
    if (operation == OP_SLICE_TERMINATE) {
        if (json_object_size(task->record.request.args) > 0)
            return err_set(err, ERR_UNKNOWN_FIELD, "slice.terminate takes no arguments");
        return prepare_terminate(task, slice, &facts);
    }
    if (operation == OP_SNAPSHOT_CREATE || operation == OP_SNAPSHOT_REVERT ||
        operation == OP_SNAPSHOT_DELETE)
        return prepare_snapshot(task, slice, &facts, err);
    return prepare_run(task, slice, &facts, err);
}

int task_prepare(struct task *task, struct err *err)
{
    const struct request *request = &task->record.request;
    struct slice slice = {0};
    switch (request->operation) {
    case OP_SLICE_PROVISION:
        return prepare_provision(task, err);
    case OP_IMAGE_FETCH:
        return prepare_fetch(task, err);
    case OP_IMAGE_DELETE:
        return prepare_image_delete(task, err);
    case OP_NODE_REPORT:
        return 0;
    default:
        break;
    }
    if (must(store_slice_find(task->tasks->config.store, request->slice, &slice, err), err) == 0) {
        if (request->operation == OP_SLICE_TERMINATE && task->replaces_provision)
            return 0; /* its provision was cancelled for this */
        return err_set(err, ERR_SLICE_NOT_FOUND, "there is no slice %s", request->slice);
    }
    int result = prepare_slice(task, &slice, err);
    slice_free(&slice);
    return result;
}
