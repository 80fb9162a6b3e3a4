/* Who waits for whom. */
#ifndef SLICENODE_TASK_WAIT_H
#define SLICENODE_TASK_WAIT_H

#include "operation/task.h"
#include "operation/type.h"

#include <stdbool.h>

/* Whether a request is kept for after the shutdown, and whether it may begin now: what came
 * before it and touches the same has ended. */
bool task_is_held_back(const struct task *task);
bool task_may_start(struct task *task);

#endif
