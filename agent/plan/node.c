/* The node's own plan. */
#include "plan/node.h"

#include "plan/facts.h"
#include "plan/steps.h"

void plan_node_reboot(const struct plan_facts *facts, struct plan *plan)
{
    (void)facts;
    plan_add(plan, STEP_NODE_REBOOT);
}
