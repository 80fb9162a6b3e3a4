/* What a registration says besides its slices and volumes; the caller owns it. */
#ifndef SLICENODE_NODE_REPORT_H
#define SLICENODE_NODE_REPORT_H

#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"

#include <jansson.h>

json_t *report_head(struct agent *agent);

#endif
