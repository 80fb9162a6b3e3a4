/* A disk that comes or goes. */
#ifndef SLICENODE_HOTPLUG_BLOCK_H
#define SLICENODE_HOTPLUG_BLOCK_H

#include "base/err.h"
#include "hotplug/entry.h"

#include <stdbool.h>

/* A disk: tells blkback which device it is to serve; a file gets a loop device. */
int hotplug_block(const struct hotplug *hotplug, bool add, struct err *err);

#endif
