/* Snapshots. */
#ifndef SLICENODE_OPERATION_SNAPSHOT_H
#define SLICENODE_OPERATION_SNAPSHOT_H

#include "base/err.h"
#include "model/nic.h"
#include "model/slice.h"
#include "operation/task.h"
#include "plan/facts.h"
#include "plan/steps.h"

#include <jansson.h>

int snapshot_prepare(struct task *task, struct slice *slice, struct plan_facts *facts,
                     struct err *err);
/* The snapshot is entered before it is taken, so that its space is promised from here on. */
int snapshot_enter_take(struct task *task, const struct step *step, struct err *err);
void snapshot_taken(struct task *task, const json_t *output);
void snapshot_forget(struct task *task);
json_t *snapshot_result(struct task *task);

#endif
