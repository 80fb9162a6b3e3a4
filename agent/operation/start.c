/* slice.start: what runs already gets an empty plan. */
#include "base/err.h"
#include "model/nic.h"
#include "model/slice.h"
#include "operation/slice.h"
#include "operation/task.h"
#include "operation/type.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "plan/slice.h"

static int start_prepare(struct task *task, struct slice *slice, struct plan_facts *facts,
                         struct err *err)
{
    bool runs = facts->domain && !facts->shut_down;
    if (!runs && slice_admit_start(task, slice, err) < 0)
        return -1;
    slice_wish(task, slice, true);
    if (!runs || facts->paused)
        plan_make(plan_start, facts, &task->plan);
    return 0;
}

const struct operation_type operation_slice_start = {
    .traits = OPERATION_NO_ARGUMENTS,
    .needs = NEEDS_DOMAIN,
    .prepare = start_prepare,
    .end_step = slice_end_step,
    .done = slice_done,
    .failed = slice_failed,
};
