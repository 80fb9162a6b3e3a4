#include "operation/operation.h"

#include "backend/console_log.h"
#include "base/err.h"
#include "base/memory.h"
#include "model/arguments.h"
#include "model/nic.h"
#include "model/request.h"
#include "model/slice.h"
#include "model/volume.h"
#include "operation/slice.h"
#include "operation/task.h"
#include "operation/type.h"
#include "operation/volume.h"
#include "plan/facts.h"
#include "plan/steps.h"
#include "step/worker.h"
#include "store/outbox.h"

const struct operation_type *operation_row(enum operation operation)
{
    static const struct operation_type *const types[OP_COUNT] = {
#define X(name, row, text, scope) [OP_##name] = &operation_##row,
        OPERATIONS(X)
#undef X
    };
    return types[operation];
}

/* --- Before it runs --------------------------------------------------------------------------- */

static int prepare_with_domain(struct task *task, struct slice *slice, struct plan_facts *facts,
                               struct err *err)
{
    CLEANUP_FREE struct volume *volumes = NULL;
    if (slice->state == SLICE_TERMINATING && !task_has(task, OPERATION_REMOVES_SLICE))
        return err_set(err, ERR_SLICE_STATE, "slice %s is being terminated", slice->id);
    if (task_find_domain(task, slice->id, facts, err) < 0)
        return -1;
    task_volumes(task, &volumes, &facts->volume_count);
    facts->volumes = volumes;
    return task->type->prepare(task, slice, facts, err);
}

static int prepare_with_slice(struct task *task, struct err *err)
{
    struct slice slice;
    if (!task_slice_find(task, &slice)) {
        if (json_is_true(task_made_way(task)))
            return 0; /* it was cancelled for this */
        return err_set(err, ERR_SLICE_NOT_FOUND, "there is no slice %s",
                       task->record.request.slice);
    }
    struct plan_facts facts = {.slice = &slice};
    int result = task->type->needs == NEEDS_DOMAIN ? prepare_with_domain(task, &slice, &facts, err)
                                                   : task->type->prepare(task, &slice, &facts, err);
    slice_free(&slice);
    return result;
}

int task_judge(const struct task *task, struct err *err)
{
    return task_has(task, OPERATION_NO_ARGUMENTS) ? no_args_parse(task->record.request.args, err)
                                                  : 0;
}

static int make_plan(struct task *task, struct err *err)
{
    struct plan_facts facts = {0};
    if (task_judge(task, err) < 0)
        return -1;
    if (task->type->needs != NEEDS_NOTHING)
        return prepare_with_slice(task, err);
    return task->type->prepare ? task->type->prepare(task, NULL, &facts, err) : 0;
}

int task_prepare(struct task *task, struct err *err)
{
    if (make_plan(task, err) < 0)
        return -1;
    return task->plan.count > 0 ? task_enter(task, &task->plan.steps[0], true, err) : 0;
}

/* --- While it runs ---------------------------------------------------------------------------- */

static void tell_domain_starts(const struct task *task)
{
    const struct tasks_config *config = &task->tasks->config;
    const char *slice = task->record.request.slice;
    if (config->domain_starting)
        config->domain_starting(config->context, slice,
                                console_size(config->paths.console_dir, slice));
}

int task_enter(struct task *task, const struct step *step, bool tell, struct err *err)
{
    if (task->type->begin_step && task->type->begin_step(task, step, err) < 0)
        return -1;
    if (step->kind == STEP_DOMAIN_START)
        tell_domain_starts(task);
    if (tell && !task->record.internal)
        outbox_add(task->tasks->config.outbox,
                   EVENT(.type = "request.step", .request = task->record.request.id,
                         .slice = task->record.request.slice, .step = step_name(step->kind)));
    return 0;
}

int task_apply_end(struct task *task, const struct step *step, const json_t *output,
                   struct err *err)
{
    return task->type->end_step ? task->type->end_step(task, step, output, err) : 0;
}

int task_apply_progress(struct task *task, uint64_t mapped_bytes, struct err *err)
{
    return task->type->progress ? task->type->progress(task, mapped_bytes, err) : 0;
}

bool task_keeps(struct task *task, const struct step *step)
{
    return task->type->keeps && task->type->keeps(task, step);
}

/* --- At its end ------------------------------------------------------------------------------- */

int task_answer(struct task *task, json_t **result, struct err *err)
{
    return task->type->answer ? task->type->answer(task, result, err) : 0;
}

void task_apply_done(struct task *task, json_t **result)
{
    if (task->type->done)
        task->type->done(task, result);
}

void task_apply_failed(struct task *task)
{
    if (task->type->failed)
        task->type->failed(task);
}

void task_recover(struct task *task)
{
    if (task->type->recover)
        task->type->recover(task);
}

void task_load(struct task *task, struct worker_more *more)
{
    if (task->type->load)
        task->type->load(task, more);
}
