/* The helper that libxl runs when a back end device of a domain comes or goes, in the place of Xen's
 * shell scripts (which need bash). One binary, installed under the scripts' names. */
#ifndef SLICENODE_HOTPLUG_H
#define SLICENODE_HOTPLUG_H

#include "err.h"

#include <stdbool.h>
#include <xenstore.h>

struct hotplug {
    struct xs_handle *store;
    const char *backend; /* the device's back end folder in xenstore */
};

/* An entry of the back end folder; NULL when it is absent. The caller frees it. */
char *hotplug_read(const struct hotplug *hotplug, const char *entry);
/* As hotplug_read; an absent entry is an error. */
char *hotplug_need(const struct hotplug *hotplug, const char *entry, struct err *err);
int hotplug_write(const struct hotplug *hotplug, const char *entry, const char *value,
                  struct err *err);

/* A disk: tells blkback which device it is to serve; a file gets a loop device. */
int hotplug_block(const struct hotplug *hotplug, bool add, struct err *err);

/* A network interface `device`: puts it on its bridge. */
int hotplug_vif(const struct hotplug *hotplug, const char *device, bool add, struct err *err);

#endif
