/* The plans of volumes, and what a slice's plan does with those attached to it. */
#ifndef SLICENODE_PLAN_VOLUME_H
#define SLICENODE_PLAN_VOLUME_H

#include "model/request.h"
#include "plan/facts.h"
#include "plan/steps.h"

void plan_of_volume(enum operation operation, const struct plan_facts *facts, struct plan *plan);
void plan_present_volumes(const struct plan_facts *facts, struct plan *plan);

#endif
