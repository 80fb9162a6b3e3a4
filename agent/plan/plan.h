/* From a request and what the node knows to an ordered list of idempotent steps. Pure: whoever calls
 * has checked that the request may run and has given every new volume its number. */
#ifndef SLICENODE_PLAN_PLAN_H
#define SLICENODE_PLAN_PLAN_H

#include "model/request.h"
#include "plan/facts.h"
#include "plan/steps.h"

/* Makes the plan of `operation`; operations without work for the backend get an empty one. */
void plan_make(enum operation operation, const struct plan_facts *facts, struct plan *plan);

#endif
