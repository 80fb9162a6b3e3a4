/* What there is on the node and what is promised, with what requests at work add to it. */
#ifndef SLICENODE_OPERATION_CAPACITY_H
#define SLICENODE_OPERATION_CAPACITY_H

#include "base/err.h"
#include "capacity/admit.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "operation/task.h"
#include "operation/type.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the node has and has promised now; without what slice `except` has, which may be NULL. */
int tasks_capacity(struct tasks *tasks, const char *except, struct capacity *capacity,
                   struct err *err);
/* The same for what only takes disk space: the memory is that of the last time. */
int task_disk_capacity(struct tasks *tasks, struct capacity *capacity, struct err *err);
/* What slices that are being reverted will have more than they have now, other than `except`, which
 * may be NULL: promised to them until the disk is swapped, and then their own. */
uint64_t task_reverts_memory_mib(struct tasks *tasks, const char *except);
/* The snapshot that a request reverts to; false for other requests. */
bool task_find_reverted(struct task *task, struct snapshot *snapshot);
/* The slice as a revert to this snapshot with memory makes it; what it owns stays the
 * original's. */
struct slice task_restored_slice(const struct slice *slice, const struct snapshot *snapshot);
/* Marks the image as the one used last; the caller puts it. */
void task_image_used(struct task *task, struct image *image);
/* All images; an array owned by the caller. */
size_t task_all_images(struct tasks *tasks, struct image **images);
/* Whether it could go: it is a disk's and no request concerns it. */
bool task_image_is_spare(const struct tasks *tasks, const struct image *image);
/* What the images hold that no request concerns. */
uint64_t task_spare_bytes(struct tasks *tasks);

/* While the state volume is full nothing new is made. */
void tasks_state_full(struct tasks *tasks, bool full);

#endif
