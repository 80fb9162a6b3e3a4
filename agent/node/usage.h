/* The body of the heartbeat; the caller owns it. */
#ifndef SLICENODE_NODE_USAGE_H
#define SLICENODE_NODE_USAGE_H

#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"

#include <jansson.h>

json_t *report_status(struct agent *agent);

#endif
