/* The parent's side of a worker. */
#ifndef SLICENODE_TASK_LINK_H
#define SLICENODE_TASK_LINK_H

#include "base/err.h"
#include "operation/task.h"
#include "operation/type.h"

void task_spawn(struct task *task);
/* Ends the worker and lets another one undo what it did. */
void task_turn_back(struct task *task, const struct err *error);

#endif
