/* The end of a worker, and of a task. */
#ifndef SLICENODE_TASK_REAP_H
#define SLICENODE_TASK_REAP_H

#include "operation/task.h"
#include "operation/type.h"

/* Ends the worker, if there is one; gives its status. */
int task_reap(struct task *task);
/* With its worker and all that it owns. */
void task_free(struct task *task);

#endif
