#include "plan/plan.h"

#include "plan/facts.h"
#include "plan/steps.h"

#include <string.h>

void plan_make(plan_maker *maker, const struct plan_facts *facts, struct plan *plan)
{
    memset(plan, 0, sizeof(*plan));
    maker(facts, plan);
}
