#include "hotplug/entry.h"

#include "base/err.h"
#include "base/memory.h"

#include <errno.h>
#include <libgen.h>
#include <string.h>

static char *entry_path(const struct hotplug *hotplug, const char *entry)
{
    return xasprintf("%s/%s", hotplug->backend, entry);
}

char *hotplug_read(const struct hotplug *hotplug, const char *entry)
{
    CLEANUP_FREE char *path = entry_path(hotplug, entry);
    unsigned length;

    return xs_read(hotplug->store, XBT_NULL, path, &length);
}

char *hotplug_need(const struct hotplug *hotplug, const char *entry, struct err *err)
{
    char *value = hotplug_read(hotplug, entry);

    if (!value)
        err_errno(err, ERR_HYPERVISOR_ERROR, errno, "cannot read %s/%s from xenstore",
                  hotplug->backend, entry);
    return value;
}

int hotplug_write(const struct hotplug *hotplug, const char *entry, const char *value,
                  struct err *err)
{
    CLEANUP_FREE char *path = entry_path(hotplug, entry);

    if (!xs_write(hotplug->store, XBT_NULL, path, value, (unsigned)strlen(value)))
        return err_errno(err, ERR_HYPERVISOR_ERROR, errno, "cannot write %s to xenstore", path);
    return 0;
}
