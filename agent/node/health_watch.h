/* Watches the pool's and the state volume's room, dom0's memory, disks with errors. */
#ifndef SLICENODE_NODE_HEALTH_WATCH_H
#define SLICENODE_NODE_HEALTH_WATCH_H

#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"

void health_open(struct agent *agent);
void health_close(struct agent *agent);
/* Before the store is opened: a state volume that is full gets back what was kept for this. */
void health_make_room(const struct agent *agent);

#endif
