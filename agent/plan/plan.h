/* From a request and what the node knows to an ordered list of idempotent steps. Pure: whoever
 * calls has checked that the request may run and has given every new volume its number. */
#ifndef SLICENODE_PLAN_PLAN_H
#define SLICENODE_PLAN_PLAN_H

#include "plan/facts.h"
#include "plan/steps.h"

/* One for each operation that has work for the backend; in the files of this room. Of steps it
 * adds to an empty plan. */
typedef void plan_maker(const struct plan_facts *facts, struct plan *plan);

void plan_make(plan_maker *maker, const struct plan_facts *facts, struct plan *plan);

#endif
