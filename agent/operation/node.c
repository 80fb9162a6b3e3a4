/* Requests that concern the node itself. */
#include "operation/node.h"

#include "base/err.h"
#include "base/memory.h"
#include "model/arguments.h"
#include "model/nic.h"
#include "model/slice.h"
#include "operation/task.h"
#include "operation/type.h"
#include "plan/facts.h"
#include "plan/node.h"
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
    return value;
}

int task_refuse_drained(struct task *task, const char *what, struct err *err)
{
    if (!tasks_drained(task->tasks))
        return 0;
    return err_set(err, ERR_NODE_DRAINING,
                   "the node is drained and takes no %s; node.drain with drain false lets it",
                   what);
}

static int drain_answer(struct task *task, json_t **result, struct err *err)
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

static int node_reboot_prepare(struct task *task, struct slice *none, struct plan_facts *facts,
                               struct err *err)
{
    (void)none;
    (void)err;
    plan_make(plan_node_reboot, facts, &task->plan);
    return 0;
}

static void node_reboot_recover(struct task *task)
{
    const char *before = json_string_value(json_object_get(task->record.scratch, "boot_id"));
    if (before && strcmp(before, task->tasks->config.boot_id) != 0)
        task->record.step = (unsigned)task->plan.count;
}

static void node_reboot_done(struct task *task, json_t **result)
{
    *result = json_pack("{s:s}", "boot_id", task->tasks->config.boot_id);
}

static int report_answer(struct task *task, json_t **result, struct err *err)
{
    const struct tasks_config *config = &task->tasks->config;
    return config->report(config->context, result, err);
}

const struct operation_type operation_node_report = {
    .traits = OPERATION_NO_ARGUMENTS,
    .answer = report_answer,
};

const struct operation_type operation_node_drain = {
    .answer = drain_answer,
};

const struct operation_type operation_node_reboot = {
    .traits = OPERATION_NO_ARGUMENTS | OPERATION_ENDS_WITH_MACHINE,
    .prepare = node_reboot_prepare,
    .done = node_reboot_done,
    .recover = node_reboot_recover,
};

/* It is carried out by task/cancel.c, as soon as it comes. */
const struct operation_type operation_request_cancel = {
    .traits = OPERATION_AT_ONCE,
};
