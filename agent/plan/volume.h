/* The plans of volumes, and what a slice's plan does with those attached to it. */
#ifndef SLICENODE_PLAN_VOLUME_H
#define SLICENODE_PLAN_VOLUME_H

#include "plan/facts.h"
#include "plan/steps.h"

void plan_volume_create(const struct plan_facts *facts, struct plan *plan);
void plan_volume_attach(const struct plan_facts *facts, struct plan *plan);
void plan_volume_detach(const struct plan_facts *facts, struct plan *plan);
void plan_volume_resize(const struct plan_facts *facts, struct plan *plan);
void plan_volume_delete(const struct plan_facts *facts, struct plan *plan);
/* Adds that step for each volume that is attached to the slice: before its domain starts, and
 * after its own volumes are given back. */
void plan_add_volumes(struct plan *plan, const struct plan_facts *facts, enum step_kind kind);

#endif
