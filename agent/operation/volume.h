/* Requests on volumes: before, while and after they run. */
#ifndef SLICENODE_OPERATION_VOLUME_H
#define SLICENODE_OPERATION_VOLUME_H

#include "base/err.h"
#include "model/volume.h"
#include "operation/task.h"
#include "plan/steps.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Those attached to the task's slice; the caller frees them. */
void task_volumes(const struct task *task, struct volume **volumes, size_t *count);
/* Brings task->slice up to date as long as the request has not begun. */
void task_find_slice(struct task *task);
bool task_is_of_volume(const struct task *task);
int task_prepare_volume(struct task *task, struct err *err);
int task_gate_resize(struct task *task, const struct step *step, struct err *err);
void task_done_volume(struct task *task, json_t **result);
void task_failed_volume(struct task *task);

#endif
