/* Requests that follow a console. They have no worker: what they have told is in their record,
 * as `place`, in one transaction with the event that told it. */
#ifndef SLICENODE_TASK_FOLLOW_H
#define SLICENODE_TASK_FOLLOW_H

#include "base/err.h"
#include "operation/task.h"
#include "operation/type.h"

#include <stdbool.h>
#include <stdint.h>

/* Whether one more may follow now. */
bool task_may_follow(const struct tasks *tasks);
/* Begins, or goes on after a crash. */
void task_console_follow(struct task *task);
/* Tells what is still to be told and ends it; `error` NULL for well. */
void task_console_end(struct task *task, const struct err *error);
/* A slice's console log has moved on; it had `size` bytes. */
void tasks_console_moved(struct tasks *tasks, const char *slice, uint64_t size);

#endif
