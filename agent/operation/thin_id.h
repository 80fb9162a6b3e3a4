/* Numbers for new thin volumes: above all that the store has given out and all that the pool has;
 * when the highest has been given out, from the lowest on again, without those in use.
 *
 * A number is used again only when the pool has no such volume, and when nothing names it: no
 * slice, image, snapshot or volume, and no plan of a request that is open. What the pool has is
 * asked once in each pass through the numbers, which is enough: whatever comes into it later has a
 * number that was given out before the one that is next, or is named by the store, which is asked
 * each time. */
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
