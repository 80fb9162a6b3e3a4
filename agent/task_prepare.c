/* Before a request runs: is it allowed here and now, what will it do, and what does the store say
 * from now on. */
#include "task_internal.h"

#include "must.h"

#include <stdlib.h>
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

static void put_slice(struct task *task, const struct slice *slice)
{
    struct err err;
    must(store_slice_put(task->tasks->config.store, slice, &err), &err);
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

static int find_source(struct task *task, const struct slice *slice, struct image *image,
                       struct snapshot *snapshot, bool *ready, struct err *err)
{
    if (!slice->snapshot[0])
        return task_find_image(task, image, ready, err) < 0 ||
                       check_image_size(slice, image, err) < 0
                   ? -1
                   : 0;
    *ready = true;
    if (must(store_snapshot_find(task->tasks->config.store, slice->snapshot, snapshot, err), err) ==
        0)
        return err_set(err, ERR_SNAPSHOT_NOT_FOUND, "there is no snapshot %s", slice->snapshot);
    if (snapshot->size_bytes > slice->disk_gib * GIB)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "snapshot %s has %llu MiB, more than the disk of %llu GiB", snapshot->id,
                       (unsigned long long)((snapshot->size_bytes + MIB - 1) / MIB),
                       (unsigned long long)slice->disk_gib);
    return 0;
}

static int admit_provision(struct task *task, struct slice *slice, struct image *image,
                           struct snapshot *snapshot, bool *ready, struct err *err)
{
    struct capacity capacity;
    if (slice->boot == BOOT_KERNEL &&
        (task_check_kernel(task, slice->kernel, IMAGE_KERNEL, err) < 0 ||
         (slice->ramdisk[0] && task_check_kernel(task, slice->ramdisk, IMAGE_RAMDISK, err) < 0)))
        return -1;
    if (tasks_capacity(task->tasks, NULL, &capacity, err) < 0 || admit_pool(&capacity, err) < 0 ||
        choose_type(slice, &capacity, err) < 0 ||
        find_source(task, slice, image, snapshot, ready, err) < 0 ||
        admit_vcpus(&capacity, slice_size(slice).max_vcpus, err) < 0)
        return -1;
    if (slice->desired_running && admit_memory(&capacity, slice, err) < 0)
        return -1;
    uint64_t disk = admit_slice_disk_bytes(slice);
    if (!*ready)
        disk += task_import_bytes(image);
    return admit_disk(&capacity, disk, "the slice", err);
}

static int prepare_provision(struct task *task, struct err *err)
{
    const struct request *request = &task->record.request;
    struct store *store = task->tasks->config.store;
    struct slice slice = {0}, present = {0};
    struct image image = {0};
    struct snapshot snapshot = {0};
    bool ready;
    if (provision_parse(request->slice, request->args, &slice, &image, err) < 0)
        return -1;
    if (task_refuse_drained(task, "new slices", err) < 0) {
        slice_free(&slice);
        return -1;
    }
    if (must(store_slice_find(store, slice.id, &present, err), err) == 1) {
        slice_free(&present);
        slice_free(&slice);
        return err_set(err, ERR_SLICE_EXISTS, "slice %s exists already", request->slice);
    }
    if (admit_provision(task, &slice, &image, &snapshot, &ready, err) < 0) {
        slice_free(&slice);
        return -1;
    }
    if (!ready)
        task_put_new_image(task, &image);
    slice.state = SLICE_PROVISIONING;
    slice.domain_id = -1;
    slice.disk_thin_id = task_next_thin_id(task);
    slice.seed_thin_id = task_next_thin_id(task);
    put_slice(task, &slice);
    struct plan_facts facts = {.slice = &slice,
                               .image = slice.snapshot[0] ? NULL : &image,
                               .snapshots = &snapshot,
                               .snapshot_count = 1,
                               .image_ready = ready,
                               .image_limit_bytes = slice.disk_gib * GIB,
                               .scratch_id = ready ? 0 : task_scratch_id(task, &image)};
    plan_make(OP_SLICE_PROVISION, &facts, &task->plan);
    slice_free(&slice);
    return 0;
}

/* --- What is done with a slice ------------------------------------------------------------------ */

int task_find_domain(struct task *task, const char *slice, struct plan_facts *facts,
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
            facts->paused = list[i].state == DOMAIN_PAUSED;
        }
    }
    return 0;
}

static bool is_started(const struct task *task, const char *slice)
{
    for (const struct task *other = task->tasks->first; other; other = other->next)
        if (other != task && other->prepared && !task_is_console(other) && !task_is_export(other) &&
            strcmp(other->record.request.slice, slice) == 0)
            return true;
    return false;
}

/* What the node starts by itself was promised its memory before. When a machine has come back with
 * less, the promises do not fit any more: then those that come first get it. */
static void count_started(struct task *task, struct capacity *capacity)
{
    const struct slice *const *slices;
    size_t count;
    struct err err;
    must(store_slices(task->tasks->config.store, &slices, &count, &err), &err);
    capacity->memory_promised_mib = 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(slices[i]->id, task->record.request.slice) != 0 &&
            (slices[i]->domain_id >= 0 || is_started(task, slices[i]->id)))
            capacity->memory_promised_mib += admit_slice_memory_mib(slices[i]);
    capacity->memory_promised_mib +=
        task_reverts_memory_mib(task->tasks, task->record.request.slice);
}

static int admit_start(struct task *task, const struct slice *slice, struct err *err)
{
    struct capacity capacity;
    if (tasks_capacity(task->tasks, slice->id, &capacity, err) < 0)
        return -1;
    if (!capacity.storage)
        return err_set(err, ERR_STORAGE_MISSING, "the node has no storage");
    if (task->record.internal)
        count_started(task, &capacity);
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
    bool nothing = operation == OP_SLICE_START ? runs && !facts->paused : false;
    if (!nothing)
        plan_make(operation, facts, &task->plan);
    return 0;
}

/* What is so already gets an empty plan. */
static int prepare_pause(struct task *task, struct slice *slice, struct plan_facts *facts,
                         struct err *err)
{
    enum operation operation = task->record.request.operation;
    if (no_args_parse(task->record.request.args, err) < 0)
        return -1;
    if (!facts->domain || facts->shut_down)
        return err_set(err, ERR_SLICE_STATE, "slice %s is %s, not running", slice->id,
                       slice_state_name(facts->domain ? SLICE_STOPPED : slice->state));
    if (facts->paused != (operation == OP_SLICE_PAUSE))
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
    if (snapshot_parse(operation, task->record.request.args, &args, err) < 0)
        return -1;
    /* A snapshot of a running slice asks for its room with its first step, which is entered with the plan. */
    bool asks_later = operation == OP_SNAPSHOT_CREATE && facts->domain && !args.memory;
    if (operation != OP_SNAPSHOT_DELETE && !asks_later &&
        (task_disk_capacity(task->tasks, &capacity, err) < 0 || admit_pool(&capacity, err) < 0))
        return -1;
    facts->snapshots = &snapshot;
    facts->snapshot_count = 1;
    if (operation == OP_SNAPSHOT_CREATE) {
        if (must(store_snapshot_find(task->tasks->config.store, args.snapshot, &snapshot, err),
                 err) == 1)
            return err_set(err, ERR_SNAPSHOT_EXISTS, "snapshot %s exists already", args.snapshot);
        snapshot.thin_id = task_next_thin_id(task);
        if (args.memory && task_prepare_checkpoint(task, slice, facts, &snapshot, err) < 0)
            return -1;
    } else if (find_snapshot(task, slice, args.snapshot, &snapshot, err) < 0) {
        return -1;
    }
    if (operation == OP_SNAPSHOT_REVERT) {
        if (facts->domain && !facts->shut_down && !args.restart)
            return err_set(err, ERR_SLICE_RUNNING,
                           "slice %s is %s: stop it first, or ask with restart", slice->id,
                           facts->paused ? "paused" : "running");
        if (snapshot.memory.thin_id && task_prepare_memory_revert(task, slice, facts, err) < 0)
            return -1;
        facts->new_disk_id = task_next_thin_id(task);
    }
    plan_make(operation, facts, &task->plan);
    return 0;
}

static int prepare_slice(struct task *task, struct slice *slice, struct err *err)
{
    struct plan_facts facts = {.slice = slice};
    CLEANUP_FREE struct volume *volumes = NULL;
    enum operation operation = task->record.request.operation;
    struct console_args console;
    if (operation == OP_SLICE_CONSOLE)
        return console_parse(task->record.request.args, &console, err);
    if (slice->state == SLICE_TERMINATING && operation != OP_SLICE_TERMINATE)
        return err_set(err, ERR_SLICE_STATE, "slice %s is being terminated", slice->id);
    if (task_find_domain(task, slice->id, &facts, err) < 0)
        return -1;
    task_volumes(task, &volumes, &facts.volume_count);
    facts.volumes = volumes;
    if (operation == OP_SLICE_TERMINATE) {
        if (json_object_size(task->record.request.args) > 0)
            return err_set(err, ERR_UNKNOWN_FIELD, "slice.terminate takes no arguments");
        return prepare_terminate(task, slice, &facts);
    }
    if (operation == OP_SNAPSHOT_EXPORT)
        return task_prepare_export(task, err);
    if (operation == OP_SNAPSHOT_CREATE || operation == OP_SNAPSHOT_REVERT ||
        operation == OP_SNAPSHOT_DELETE)
        return prepare_snapshot(task, slice, &facts, err);
    if (operation == OP_SLICE_RESIZE)
        return task_prepare_resize(task, slice, &facts, err);
    if (operation == OP_SLICE_PAUSE || operation == OP_SLICE_UNPAUSE)
        return prepare_pause(task, slice, &facts, err);
    return prepare_run(task, slice, &facts, err);
}

static int make_plan(struct task *task, struct err *err)
{
    const struct request *request = &task->record.request;
    struct slice slice = {0};
    switch (request->operation) {
    case OP_SLICE_PROVISION:
        return prepare_provision(task, err);
    case OP_IMAGE_FETCH:
        return task_prepare_fetch(task, err);
    case OP_IMAGE_DELETE:
        return task_prepare_image_delete(task, err);
    case OP_NODE_REBOOT:
        return task_prepare_reboot(task, err);
    case OP_NODE_REPORT:
    case OP_NODE_DRAIN:
        return 0;
    case OP_VOLUME_CREATE:
    case OP_VOLUME_ATTACH:
    case OP_VOLUME_DETACH:
    case OP_VOLUME_RESIZE:
    case OP_VOLUME_DELETE:
        return task_prepare_volume(task, err);
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

int task_prepare(struct task *task, struct err *err)
{
    if (make_plan(task, err) < 0)
        return -1;
    return task->plan.count > 0 ? task_enter(task, &task->plan.steps[0], true, err) : 0;
}
