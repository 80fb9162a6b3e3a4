/* The entries of a device's back end folder in xenstore. */
#ifndef SLICENODE_HOTPLUG_ENTRY_H
#define SLICENODE_HOTPLUG_ENTRY_H

#include "base/err.h"

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

#endif
