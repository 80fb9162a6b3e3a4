/* The volumes of a request, and of its slice. */
#ifndef SLICENODE_OPERATION_VOLUME_H
#define SLICENODE_OPERATION_VOLUME_H

#include "model/volume.h"
#include "operation/task.h"
#include "operation/type.h"

#include <stddef.h>

/* Those attached to the task's slice; the caller frees them. */
void task_volumes(const struct task *task, struct volume **volumes, size_t *count);
/* Brings task->slice up to date as long as the request has not begun. */
void task_find_slice(struct task *task);

#endif
