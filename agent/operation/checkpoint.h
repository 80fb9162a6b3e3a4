/* Snapshots with memory: what the parent checks, reserves and records. */
#ifndef SLICENODE_OPERATION_CHECKPOINT_H
#define SLICENODE_OPERATION_CHECKPOINT_H

#include "base/err.h"
#include "model/nic.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "operation/task.h"
#include "operation/type.h"
#include "plan/facts.h"
#include "plan/steps.h"

#include <jansson.h>

int task_prepare_checkpoint(struct task *task, const struct slice *slice,
                            const struct plan_facts *facts, struct snapshot *snapshot,
                            struct err *err);
int task_prepare_memory_revert(struct task *task, struct slice *slice,
                               const struct plan_facts *facts, struct err *err);
int task_gate_memory(struct task *task, const struct step *step, struct err *err);
void task_memory_saved(struct task *task, const json_t *output);
void task_checkpoint_taken(struct task *task, const json_t *output);
void task_memory_swapped(struct task *task, struct slice *slice);
void task_revert_failed(struct task *task);

#endif
