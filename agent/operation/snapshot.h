/* What operations on snapshots have in common. */
#ifndef SLICENODE_OPERATION_SNAPSHOT_H
#define SLICENODE_OPERATION_SNAPSHOT_H

#include "base/err.h"
#include "model/nic.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "operation/task.h"
#include "operation/type.h"

/* A snapshot of that slice. */
int snapshot_find(struct task *task, const struct slice *slice, const char *id,
                  struct snapshot *snapshot, struct err *err);
/* Whether the pool takes anything new. */
int snapshot_admit(struct task *task, struct err *err);
/* The store forgets the one that the request names. */
void snapshot_forget(struct task *task);

#endif
