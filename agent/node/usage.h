/* The body of the heartbeat. */
#ifndef SLICENODE_NODE_USAGE_H
#define SLICENODE_NODE_USAGE_H

#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"

#include <jansson.h>
#include <stdbool.h>

/* With all slices and volumes, or with as many as a heartbeat may have: the next one goes on behind
 * them. The caller owns it. */
json_t *report_status(struct agent *agent, bool in_turn);

#endif
