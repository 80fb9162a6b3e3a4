/* request.cancel. */
#ifndef SLICENODE_TASK_CANCEL_H
#define SLICENODE_TASK_CANCEL_H

#include "base/err.h"
#include "operation/task.h"
#include "operation/type.h"

#include <stdbool.h>

/* Carries out request.cancel. */
int task_cancel(struct task *task, struct err *err);
/* Whether it can still be as if the request had not been made, and making it so: a request that has
 * not been prepared is gone afterwards. */
bool task_is_revocable(const struct task *task);
void task_take_back(struct task *task, const struct err *error);

#endif
