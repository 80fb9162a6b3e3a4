/* Volumes of the pool that the store does not know. */
#ifndef SLICENODE_NODE_POOL_VOLUMES_H
#define SLICENODE_NODE_POOL_VOLUMES_H

struct agent;

/* Once, at the agent's start: enters a problem that names them. They are never touched: they are
 * somebody's, from before the node's state was lost. */
void pool_volumes_check(struct agent *agent);

#endif
