/* What the store has, as the protocol shows it; the caller owns the results. */
#ifndef SLICENODE_NODE_LISTS_H
#define SLICENODE_NODE_LISTS_H

#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"

#include <jansson.h>

json_t *report_slices(struct agent *agent);
/* Those of one slice, or all when it is NULL. */
json_t *report_volumes(struct agent *agent, const char *slice);
json_t *report_images(struct agent *agent);
json_t *report_snapshots(struct agent *agent, const char *slice);

#endif
