/* What each operation is: what it checks and plans, what the store learns while it runs, and how it ends. All in the
 * transaction of the caller, which is rolled back when preparing fails. */
#ifndef SLICENODE_OPERATION_OPERATION_H
#define SLICENODE_OPERATION_OPERATION_H

#include "base/err.h"
#include "operation/task.h"
#include "plan/steps.h"

#include <jansson.h>
#include <stdbool.h>

/* Checks the request against the node, makes the plan, records what it changes at
 * once. */
int task_prepare(struct task *task, struct err *err);

/* A step begins: -1 when it may not. `tell`: with an event. */
int task_enter(struct task *task, const struct step *step, bool tell, struct err *err);
int task_apply_end(struct task *task, const struct step *step, const json_t *output,
                   struct err *err);
/* The last changes of a request that has been carried out or not. `result` is set to
 * what the request answers, owned by the caller. task_answer makes the result of requests that have
 * no steps. */
int task_answer(struct task *task, json_t **result, struct err *err);
void task_apply_done(struct task *task, json_t **result);
void task_apply_failed(struct task *task);

#endif
