/* What the machine has, from sysfs; the caller owns the result. */
#ifndef SLICENODE_NODE_INVENTORY_H
#define SLICENODE_NODE_INVENTORY_H

#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"

#include <jansson.h>

json_t *inventory_hardware(const char *sysfs);
json_t *inventory_nics(const char *sysfs);
json_t *inventory_disks(const char *run_dir);
void inventory_problems(struct agent *agent);

#endif
