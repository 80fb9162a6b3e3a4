/* The node's own plan. */
#ifndef SLICENODE_PLAN_NODE_H
#define SLICENODE_PLAN_NODE_H

#include "plan/facts.h"
#include "plan/steps.h"

void plan_node_reboot(const struct plan_facts *facts, struct plan *plan);

#endif
