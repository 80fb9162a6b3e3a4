/* How a request ends: told, remembered, and told again. */
#ifndef SLICENODE_TASK_END_H
#define SLICENODE_TASK_END_H

#include "base/err.h"
#include "operation/task.h"
#include "operation/type.h"

#include <jansson.h>

/* The request has ended; `error` NULL for well. The task is gone afterwards. */
void task_finish(struct task *task, const struct err *error);
/* The same in the transaction that the caller has begun, which ends with it. */
void task_finish_begun(struct task *task, const struct err *error);

/* `error` NULL for well; takes `result` over, which may be NULL. In the caller's
 * transaction. */
void task_record_end(struct task *task, const struct err *error, json_t *result);
/* Tells the end of a request that is asked for once more. */
void tasks_repeat_end(struct tasks *tasks, const char *id);

#endif
