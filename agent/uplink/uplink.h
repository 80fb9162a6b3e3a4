/* The session with the controller. */
#ifndef SLICENODE_UPLINK_UPLINK_H
#define SLICENODE_UPLINK_UPLINK_H

#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"

void uplink_open(struct agent *agent);
void uplink_close(struct agent *agent);
/* Events wait. */
void uplink_events(struct agent *agent);
/* The controller is to be told anew what the node is, as soon as it can be. */
void uplink_register(struct agent *agent);
/* The node is drained, or not any more. */
void uplink_drain(struct agent *agent);

#endif
