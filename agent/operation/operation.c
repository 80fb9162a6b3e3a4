/* Before a request runs: is it allowed here and now, what will it do, and what does the store say
 * from now on. */
#include "operation/operation.h"

#include "backend/console_log.h"
#include "base/err.h"
#include "base/memory.h"
#include "model/arguments.h"
#include "model/nic.h"
#include "model/request.h"
#include "model/slice.h"
#include "model/volume.h"
#include "operation/checkpoint.h"
#include "operation/console.h"
#include "operation/export.h"
#include "operation/image.h"
#include "operation/node.h"
#include "operation/provision.h"
#include "operation/resize.h"
#include "operation/slice.h"
#include "operation/snapshot.h"
#include "operation/task.h"
#include "operation/volume.h"
#include "plan/facts.h"
#include "plan/steps.h"
#include "store/must.h"
#include "store/outbox.h"
#include "store/store.h"

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
        return slice_prepare_terminate(task, slice, &facts);
    }
    if (operation == OP_SNAPSHOT_EXPORT)
        return task_prepare_export(task, err);
    if (operation == OP_SNAPSHOT_CREATE || operation == OP_SNAPSHOT_REVERT ||
        operation == OP_SNAPSHOT_DELETE)
        return snapshot_prepare(task, slice, &facts, err);
    if (operation == OP_SLICE_RESIZE)
        return task_prepare_resize(task, slice, &facts, err);
    if (operation == OP_SLICE_PAUSE || operation == OP_SLICE_UNPAUSE)
        return slice_prepare_pause(task, slice, &facts, err);
    return slice_prepare_run(task, slice, &facts, err);
}

static int make_plan(struct task *task, struct err *err)
{
    const struct request *request = &task->record.request;
    struct slice slice = {0};
    switch (request->operation) {
    case OP_SLICE_PROVISION:
        return provision_prepare(task, err);
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

static int gate(struct task *task, const struct step *step, struct err *err)
{
    const struct tasks_config *config = &task->tasks->config;
    if (step->kind == STEP_DISK_ACTIVATE && step->flag)
        json_object_set_new(task->record.scratch, "disk_begun", json_true());
    if (step->kind == STEP_DISK_CLONE)
        return provision_enter_clone(task, err);
    if (step->kind == STEP_SNAPSHOT_TAKE)
        return snapshot_enter_take(task, step, err);
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

int task_apply_end(struct task *task, const struct step *step, const json_t *output,
                   struct err *err)
{
    json_t *scratch = task->record.scratch;
    switch (step->kind) {
    case STEP_IMAGE_IMPORT:
    case STEP_FILE_IMPORT:
        return image_imported(task, output, err);
    case STEP_DOMAIN_VCPUS:
    case STEP_DOMAIN_MEMORY:
    case STEP_DISK_GROW:
        task_apply_resized(task, step, output);
        return 0;
    case STEP_DOMAIN_START:
        slice_domain_started(task, (int)output_number(output, "domain_id"));
        return 0;
    case STEP_DOMAIN_DESTROY:
        slice_domain_started(task, -1);
        return 0;
    case STEP_DISK_SWAP:
        slice_disk_swapped(task, step->thin_id);
        return 0;
    case STEP_VOLUME_REMOVE:
        slice_volume_removed(task, step->thin_id);
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
        slice_domain_started(task, (int)json_integer_value(json_object_get(output, "domain_id")));
        return 0;
    default:
        return 0;
    }
}

int task_answer(struct task *task, json_t **result, struct err *err)
{
    const struct tasks_config *config = &task->tasks->config;
    switch (task->record.request.operation) {
    case OP_SLICE_CONSOLE:
        return console_answer(task, result, err);
    case OP_NODE_REPORT:
        if (json_object_size(task->record.request.args) > 0)
            return err_set(err, ERR_UNKNOWN_FIELD, "node.report takes no arguments");
        *result = config->report(config->context);
        return 0;
    case OP_NODE_DRAIN:
        return task_answer_drain(task, result, err);
    default:
        return 0;
    }
}

void task_apply_done(struct task *task, json_t **result)
{
    switch (task->record.request.operation) {
    case OP_SLICE_PROVISION:
    case OP_SLICE_START:
    case OP_SLICE_STOP:
    case OP_SLICE_REBOOT:
    case OP_SLICE_PAUSE:
    case OP_SLICE_UNPAUSE:
    case OP_SNAPSHOT_REVERT:
        slice_done(task, result);
        break;
    case OP_SLICE_RESIZE:
        task_apply_resize_done(task, result);
        break;
    case OP_SLICE_TERMINATE:
        slice_terminated(task);
        break;
    case OP_SNAPSHOT_CREATE:
        *result = snapshot_result(task);
        break;
    case OP_SNAPSHOT_DELETE:
        snapshot_forget(task);
        break;
    case OP_NODE_REBOOT:
        *result = json_pack("{s:s}", "boot_id", task->tasks->config.boot_id);
        break;
    case OP_SNAPSHOT_EXPORT:
        *result = task_export_result(task);
        break;
    case OP_IMAGE_DELETE:
        image_forget(task, "deleted", NULL);
        break;
    default:
        if (task_is_of_volume(task))
            task_done_volume(task, result);
        break;
    }
}

void task_apply_failed(struct task *task)
{
    switch (task->record.request.operation) {
    case OP_SLICE_PROVISION:
        provision_failed(task);
        break;
    case OP_SLICE_START:
    case OP_SLICE_STOP:
    case OP_SLICE_REBOOT:
    case OP_SLICE_PAUSE:
    case OP_SLICE_UNPAUSE:
    case OP_SLICE_TERMINATE:
    case OP_SNAPSHOT_REVERT:
        task_revert_failed(task);
        slice_failed(task);
        break;
    case OP_SLICE_RESIZE:
        task_apply_resize_failed(task);
        break;
    case OP_SNAPSHOT_CREATE:
        snapshot_forget(task);
        break;
    case OP_IMAGE_FETCH:
        image_forget(task, "failed", &task->record.error);
        break;
    default:
        if (task_is_of_volume(task))
            task_failed_volume(task);
        break;
    }
}
