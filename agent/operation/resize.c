/* slice.resize: what is allowed, what the store says from when on, and the answer. The new sizes
 * are in the store, and so reserved, before the domain is touched; the domain's own stay beside
 * them until it has changed. */
#include "base/err.h"
#include "base/memory.h"
#include "capacity/admit.h"
#include "model/arguments.h"
#include "model/nic.h"
#include "model/slice.h"
#include "operation/capacity.h"
#include "operation/slice_result.h"
#include "operation/task.h"
#include "operation/type.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "plan/slice.h"
#include "plan/steps.h"

/* --- Before ----------------------------------------------------------------------------------- */

static int admit_resize(struct task *task, const struct slice *slice, const struct slice *wanted,
                        struct err *err)
{
    struct capacity capacity;
    if (tasks_capacity(task->tasks, slice->id, &capacity, err) < 0)
        return -1;
    if (wanted->vcpus > slice->vcpus && admit_vcpus(&capacity, wanted->vcpus, err) < 0)
        return -1;
    if (admit_holds_memory(slice) &&
        admit_slice_memory_mib(wanted) > admit_slice_memory_mib(slice) &&
        admit_memory(&capacity, wanted, err) < 0)
        return -1;
    if (wanted->disk_gib > slice->disk_gib &&
        admit_disk(&capacity, admit_slice_disk_bytes(wanted), "the slice", err) < 0)
        return -1;
    return 0;
}

static void remember(struct task *task, const struct slice *slice)
{
    json_t *scratch = task->record.scratch;
    json_object_set_new(scratch, "former",
                        json_pack("{s:I, s:I, s:I, s:I, s:I}", "vcpus", (json_int_t)slice->vcpus,
                                  "memory_mib", (json_int_t)slice->memory_mib, "disk_gib",
                                  (json_int_t)slice->disk_gib, "domain_vcpus",
                                  (json_int_t)slice->domain.vcpus, "domain_memory_mib",
                                  (json_int_t)slice->domain.memory_mib));
    json_object_set_new(scratch, "applied", json_object());
}

static int resize_prepare(struct task *task, struct slice *slice, struct plan_facts *facts,
                          struct err *err)
{
    struct slice wanted = *slice; /* what it owns stays the original's */
    struct resize_args *args = &facts->resize;
    if (resize_parse(task->record.request.args, args, err) < 0)
        return -1;
    if (args->disk_gib && args->disk_gib < slice->disk_gib)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "disk_gib %llu is less than the %llu of slice %s: a disk only grows, for a "
                       "smaller one would cut off what is written at its end",
                       (unsigned long long)args->disk_gib, (unsigned long long)slice->disk_gib,
                       slice->id);
    if (facts->domain)
        wanted.domain = slice->domain = admit_domain_size(slice);
    if (args->vcpus)
        wanted.vcpus = args->vcpus;
    if (args->memory_mib)
        wanted.memory_mib = args->memory_mib;
    if (args->disk_gib)
        wanted.disk_gib = args->disk_gib;
    if (admit_resize(task, slice, &wanted, err) < 0)
        return -1;
    remember(task, slice);
    task_slice_put(task, &wanted);
    facts->slice = &wanted;
    plan_make(plan_resize, facts, &task->plan);
    facts->slice = slice;
    return 0;
}

/* --- After a step ----------------------------------------------------------------------------- */

static void resized(struct task *task, const struct step *step, const json_t *output)
{
    json_t *applied = json_object_get(task->record.scratch, "applied");
    bool now = step->kind == STEP_DISK_GROW || json_is_true(json_object_get(output, "now"));
    const char *name = step->kind == STEP_DOMAIN_VCPUS    ? "vcpus"
                       : step->kind == STEP_DOMAIN_MEMORY ? "memory_mib"
                                                          : "disk_gib";
    struct slice slice;
    json_object_set_new(applied, name, json_string(now ? "now" : "next_start"));
    if (!now || step->kind == STEP_DISK_GROW || !task_slice_find(task, &slice))
        return;
    if (step->kind == STEP_DOMAIN_VCPUS)
        slice.domain.vcpus = (unsigned)step->change.to;
    else
        slice.domain.memory_mib = step->change.to;
    task_slice_put(task, &slice);
    slice_free(&slice);
}

static int resize_begin_step(struct task *task, const struct step *step, struct err *err)
{
    (void)err;
    if (step->kind == STEP_DISK_ACTIVATE && step->disk.grown)
        json_object_set_new(task->record.scratch, "disk_begun", json_true());
    return 0;
}

static int resize_end_step(struct task *task, const struct step *step, const json_t *output,
                           struct err *err)
{
    (void)err;
    if (step->kind == STEP_DOMAIN_VCPUS || step->kind == STEP_DOMAIN_MEMORY ||
        step->kind == STEP_DISK_GROW)
        resized(task, step, output);
    return 0;
}

/* --- At the end ------------------------------------------------------------------------------- */

static void resize_done(struct task *task, json_t **result)
{
    static const char *const names[] = {"vcpus", "memory_mib", "disk_gib"};
    json_t *applied = json_object();
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        json_t *when = json_object_get(json_object_get(task->record.scratch, "applied"), names[i]);
        if (json_is_integer(json_object_get(task->record.request.args, names[i])))
            json_object_set_new(applied, names[i],
                                when ? json_incref(when) : json_string("next_start"));
    }
    *result = json_pack("{s:o, s:o}", "slice", task_slice_result(task), "applied", applied);
}

static uint64_t former(const struct task *task, const char *name)
{
    const json_t *object = json_object_get(task->record.scratch, "former");
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

/* All is as before, but a disk that has begun to grow is still to grow: the slice may have seen its
 * new size, and has it at its next start at the latest. */
static void resize_failed(struct task *task)
{
    struct slice slice;
    if (!task_slice_find(task, &slice))
        return;
    slice.vcpus = (unsigned)former(task, "vcpus");
    slice.memory_mib = former(task, "memory_mib");
    slice.domain.vcpus = (unsigned)former(task, "domain_vcpus");
    slice.domain.memory_mib = former(task, "domain_memory_mib");
    if (json_is_true(json_object_get(task->record.scratch, "disk_begun")))
        slice.error = task->record.error;
    else
        slice.disk_gib = former(task, "disk_gib");
    task_slice_put(task, &slice);
    slice_free(&slice);
}

const struct operation_type operation_slice_resize = {
    .needs = NEEDS_DOMAIN,
    .prepare = resize_prepare,
    .begin_step = resize_begin_step,
    .end_step = resize_end_step,
    .done = resize_done,
    .failed = resize_failed,
};
