/* A network interface that comes or goes. */
#ifndef SLICENODE_HOTPLUG_VIF_H
#define SLICENODE_HOTPLUG_VIF_H

#include "base/err.h"
#include "hotplug/entry.h"

#include <stdbool.h>

/* A network interface `device`: puts it on its bridge. */
int hotplug_vif(const struct hotplug *hotplug, const char *device, bool add, struct err *err);

#endif
