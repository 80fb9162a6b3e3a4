/* Disk images are a cache, which makes room when a request needs it. */
#ifndef SLICENODE_TASK_ROOM_H
#define SLICENODE_TASK_ROOM_H

#include "base/err.h"
#include "operation/task.h"
#include "operation/type.h"

#include <stdbool.h>
#include <stdint.h>

/* Whether an image is being collected. */
bool task_collecting(const struct tasks *tasks);
/* Sends the image used least recently away, unless one is going already or all of them together
 * would not give `short_bytes`: then false. */
bool task_make_room(struct tasks *tasks, uint64_t short_bytes);
/* Whether a request that was not prepared because of `error` is to wait for room; it stays
 * queued. */
bool task_wait_for_room(struct task *task, const struct err *error);
/* The same for one that was undone because of `error`: it is put back to where it was in the
 * queue. */
bool task_put_back(struct task *task, const struct err *error);

#endif
