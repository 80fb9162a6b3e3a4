/* slice.pause and slice.unpause: what is so already gets an empty plan. */
#include "base/err.h"
#include "model/nic.h"
#include "model/slice.h"
#include "operation/slice.h"
#include "operation/task.h"
#include "operation/type.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "plan/slice.h"

static int check_runs(const struct slice *slice, const struct plan_facts *facts, struct err *err)
{
    if (facts->domain && !facts->shut_down)
        return 0;
    return err_set(err, ERR_SLICE_STATE, "slice %s is %s, not running", slice->id,
                   slice_state_name(facts->domain ? SLICE_STOPPED : slice->state));
}

static int pause_prepare(struct task *task, struct slice *slice, struct plan_facts *facts,
                         struct err *err)
{
    if (check_runs(slice, facts, err) < 0)
        return -1;
    if (!facts->paused)
        plan_make(plan_pause, facts, &task->plan);
    return 0;
}

static int unpause_prepare(struct task *task, struct slice *slice, struct plan_facts *facts,
                           struct err *err)
{
    if (check_runs(slice, facts, err) < 0)
        return -1;
    if (facts->paused)
        plan_make(plan_unpause, facts, &task->plan);
    return 0;
}

const struct operation_type operation_slice_pause = {
    .traits = OPERATION_NO_ARGUMENTS,
    .needs = NEEDS_DOMAIN,
    .prepare = pause_prepare,
    .end_step = slice_end_step,
    .done = slice_done,
    .failed = slice_failed,
};

const struct operation_type operation_slice_unpause = {
    .traits = OPERATION_NO_ARGUMENTS,
    .needs = NEEDS_DOMAIN,
    .prepare = unpause_prepare,
    .end_step = slice_end_step,
    .done = slice_done,
    .failed = slice_failed,
};
