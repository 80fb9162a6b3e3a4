/* slice.stop. */
#include "base/err.h"
#include "model/arguments.h"
#include "model/nic.h"
#include "model/slice.h"
#include "operation/slice.h"
#include "operation/task.h"
#include "operation/type.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "plan/slice.h"

static int stop_prepare(struct task *task, struct slice *slice, struct plan_facts *facts,
                        struct err *err)
{
    if (stop_parse(task->record.request.args, &facts->stop, err) < 0)
        return -1;
    slice_wish(task, slice, false);
    plan_make(plan_stop, facts, &task->plan);
    return 0;
}

const struct operation_type operation_slice_stop = {
    .traits = OPERATION_STOPS,
    .needs = NEEDS_DOMAIN,
    .prepare = stop_prepare,
    .end_step = slice_end_step,
    .done = slice_done,
    .failed = slice_failed,
};
