/* The plans of snapshots with memory. plan_memory_remove adds what removes that of one, if it
 * has any. plan_swap_disk, of each revert: a clone of the snapshot's disk takes the place of the
 * slice's. The clone is made first, so that the slice is untouched as long as something can
 * fail. */
#ifndef SLICENODE_PLAN_CHECKPOINT_H
#define SLICENODE_PLAN_CHECKPOINT_H

#include "model/nic.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "plan/facts.h"
#include "plan/steps.h"

void plan_checkpoint(const struct plan_facts *facts, struct plan *plan);
void plan_swap_disk(const struct plan_facts *facts, struct plan *plan);
void plan_checkpoint_revert(const struct plan_facts *facts, struct plan *plan);
void plan_memory_remove(const struct slice *slice, const struct snapshot *snapshot,
                        struct plan *plan);

#endif
