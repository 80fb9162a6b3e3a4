/* Requests that concern the node itself. */
#include "operation/node.h"

#include "base/err.h"
#include "base/memory.h"
#include "model/arguments.h"
#include "model/nic.h"
#include "model/slice.h"
#include "operation/task.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "store/must.h"
#include "store/store.h"

#include <string.h>

#define DRAINED "drained"

bool tasks_drained(struct tasks *tasks)
{
    CLEANUP_FREE char *value = NULL;
    struct err err;
    must(store_get(tasks->config.store, DRAINED, &value, &err), &err);
    return value != NULL;
}

int task_refuse_drained(struct task *task, const char *what, struct err *err)
{
    if (!tasks_drained(task->tasks))
        return 0;
    return err_set(err, ERR_NODE_DRAINING,
                   "the node is drained and takes no %s; node.drain with drain false lets it",
                   what);
}

int task_answer_drain(struct task *task, json_t **result, struct err *err)
{
    const struct tasks_config *config = &task->tasks->config;
    struct err store_error;
    const struct slice *const *slices;
    size_t count, running = 0;
    bool drain;
    if (drain_parse(task->record.request.args, &drain, err) < 0)
        return -1;
    must(store_set(config->store, DRAINED, drain ? "1" : NULL, &store_error), &store_error);
    must(store_slices(config->store, &slices, &count, &store_error), &store_error);
    for (size_t i = 0; i < count; i++)
        running += slices[i]->domain_id >= 0;
    config->drained(config->context, drain);
    *result = json_pack("{s:s, s:i, s:i}", "state", drain ? "draining" : "ready", "slices",
                        (int)count, "running", (int)running);
    return 0;
}

int task_prepare_reboot(struct task *task, struct err *err)
{
    struct plan_facts facts = {0};
    if (no_args_parse(task->record.request.args, err) < 0)
        return -1;
    plan_make(OP_NODE_REBOOT, &facts, &task->plan);
    return 0;
}

void task_recover_reboot(struct task *task)
{
    const char *before = json_string_value(json_object_get(task->record.scratch, "boot_id"));
    if (task->record.request.operation == OP_NODE_REBOOT && before &&
        strcmp(before, task->tasks->config.boot_id) != 0)
        task->record.step = (unsigned)task->plan.count;
}
