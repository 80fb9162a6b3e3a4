/* The step that reboots the node. */
#ifndef SLICENODE_STEP_NODE_H
#define SLICENODE_STEP_NODE_H

#include "base/err.h"
#include "step/context.h"

int step_node_reboot(struct step_context *context, struct err *err);

#endif
