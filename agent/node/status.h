/* The files that the status screen shows; rewritten soon after a call. */
#ifndef SLICENODE_NODE_STATUS_H
#define SLICENODE_NODE_STATUS_H

#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"

void status_changed(struct agent *agent);
/* The state of the session with the controller, by name: a literal. */
void status_session(struct agent *agent, const char *state);

#endif
