/* The plans of snapshots, and of an export. */
#ifndef SLICENODE_PLAN_SNAPSHOT_H
#define SLICENODE_PLAN_SNAPSHOT_H

#include "plan/facts.h"
#include "plan/steps.h"

void plan_snapshot(const struct plan_facts *facts, struct plan *plan);
void plan_revert(const struct plan_facts *facts, struct plan *plan);
void plan_snapshot_delete(const struct plan_facts *facts, struct plan *plan);
void plan_export(const struct plan_facts *facts, struct plan *plan);

#endif
