/* How a request begins. */
#ifndef SLICENODE_TASK_BEGIN_H
#define SLICENODE_TASK_BEGIN_H

#include "operation/task.h"
#include "operation/type.h"

/* Begins what can begin now, within the transaction in which it was submitted: both are recorded
 * with one wait for the disk, while the worker gets ready. It asks before it does anything, and
 * is answered when the transaction is over. */
void tasks_begin(struct tasks *tasks);
/* Looks soon what can begin. */
void tasks_kick(struct tasks *tasks);
void task_begin(struct task *task);
/* What is to be said against a request before its turn: its deadline, its arguments. */
int task_check(const struct task *task, struct err *err);

#endif
