/* Whether the node takes new work. */
#ifndef SLICENODE_OPERATION_NODE_H
#define SLICENODE_OPERATION_NODE_H

#include "base/err.h"
#include "operation/task.h"
#include "operation/type.h"

#include <stdbool.h>

/* Whether an operator or the controller has asked for no new work (node.drain); outlives
 * reboots. */
bool tasks_drained(struct tasks *tasks);
/* Fails when the node takes no new work. */
int task_refuse_drained(struct task *task, const char *what, struct err *err);

#endif
