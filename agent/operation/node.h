/* The node's own requests. A reboot that was under way when the machine went down is at its end. */
#ifndef SLICENODE_OPERATION_NODE_H
#define SLICENODE_OPERATION_NODE_H

#include "base/err.h"
#include "operation/task.h"

#include <jansson.h>
#include <stdbool.h>

int task_prepare_reboot(struct task *task, struct err *err);
void task_recover_reboot(struct task *task);
int task_answer_drain(struct task *task, json_t **result, struct err *err);
/* Whether an operator or the controller has asked for no new work (node.drain); outlives reboots. */
bool tasks_drained(struct tasks *tasks);
/* Fails when the node takes no new work. */
int task_refuse_drained(struct task *task, const char *what, struct err *err);

#endif
