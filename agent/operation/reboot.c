/* slice.reboot. */
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

static int reboot_prepare(struct task *task, struct slice *slice, struct plan_facts *facts,
                          struct err *err)
{
    bool runs = facts->domain && !facts->shut_down;
    if (stop_parse(task->record.request.args, &facts->stop, err) < 0)
        return -1;
    if (!facts->domain && !task->record.internal)
        return err_set(err, ERR_SLICE_STATE, "slice %s is %s, not running", slice->id,
                       slice_state_name(slice->state));
    if (!runs && slice_admit_start(task, slice, err) < 0)
        return -1;
    slice_wish(task, slice, true);
    plan_make(plan_reboot, facts, &task->plan);
    return 0;
}

const struct operation_type operation_slice_reboot = {
    .traits = OPERATION_STOPS,
    .needs = NEEDS_DOMAIN,
    .prepare = reboot_prepare,
    .end_step = slice_end_step,
    .done = slice_done,
    .failed = slice_failed,
};
