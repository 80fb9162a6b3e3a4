/* Numbers for new thin volumes: above all that the store has given out and all that the pool
 * has. */
#ifndef SLICENODE_OPERATION_THIN_ID_H
#define SLICENODE_OPERATION_THIN_ID_H

#include "base/err.h"
#include "operation/task.h"

#include <stdint.h>

/* A number that no volume has. An error when there is none left, or when it is not known what the
 * pool has: a store that is newer than the pool would give out what is somebody's. */
int task_next_thin_id(struct task *task, uint32_t *thin_id, struct err *err);

/* Looks what the pool has, once an agent's life; later calls do nothing. Gives the volumes that
 * the store does not know in *unknown, when it looked: the caller frees it. */
int tasks_learn_thin_ids(struct tasks *tasks, uint32_t **unknown, size_t *count, struct err *err);

#endif
