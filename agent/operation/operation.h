/* What each operation is: what it checks and plans, what the store learns while it runs, and how
 * it ends. All in the transaction of the caller, which is rolled back when preparing fails. */
#ifndef SLICENODE_OPERATION_OPERATION_H
#define SLICENODE_OPERATION_OPERATION_H

#include "base/err.h"
#include "model/request.h"
#include "operation/task.h"
#include "operation/type.h"
#include "plan/steps.h"
#include "step/worker.h"

#include <jansson.h>
#include <stdbool.h>

/* What is to be said against a request whatever the node has: its arguments. Not all are judged
 * here, but those of an operation that acts before its turn are. */
int task_judge(const struct task *task, struct err *err);

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

/* So many bytes of the pool are written so far; -1 when they are too many. */
int task_apply_progress(struct task *task, uint64_t mapped_bytes, struct err *err);
/* Whether what the step has done stays when the request fails. */
bool task_keeps(struct task *task, const struct step *step);
/* It was under way when the agent ended. */
void task_recover(struct task *task);
/* What the worker needs beyond the slice, the image and the volumes. */
void task_load(struct task *task, struct worker_more *more);

/* The row of an operation. */
const struct operation_type *operation_row(enum operation operation);

#endif
