/* `sliced-net session`: carries the agent's calls to the controllers, several at a time. */
#ifndef SLICENODE_NET_CALLS_H
#define SLICENODE_NET_CALLS_H

#include "base/err.h"
#include "process/wire.h"

/* Runs until the agent closes the wire: 0 then, -1 when the wire or curl fails. */
int net_session(struct wire *wire, struct err *err);

#endif
