#include "hotplug.h"

#include "util.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
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

/* libxl says add and remove for a disk, online and offline for a vif. */
static int parse_action(const char *action, bool *add, struct err *err)
{
    *add = strcmp(action, "add") == 0 || strcmp(action, "online") == 0;
    if (*add || strcmp(action, "remove") == 0 || strcmp(action, "offline") == 0)
        return 0;
    return err_set(err, ERR_INVALID_ARGUMENT, "unknown action %s", action);
}

static int dispatch(const struct hotplug *hotplug, const char *script, const char *action,
                    struct err *err)
{
    bool add;

    if (parse_action(action, &add, err) < 0)
        return -1;
    if (strcmp(script, "block") == 0)
        return hotplug_block(hotplug, add, err);
    if (strcmp(script, "vif-bridge") == 0) {
        const char *device = getenv("vif");
        if (!device)
            return err_set(err, ERR_INVALID_ARGUMENT, "the environment has no vif");
        return hotplug_vif(hotplug, device, add, err);
    }
    return err_set(err, ERR_INVALID_ARGUMENT, "unknown script %s", script);
}

/* Where libxl and an operator look for the reason. */
static void report(const struct hotplug *hotplug, const struct err *err)
{
    fprintf(stderr, "hotplug: %s: %s\n", hotplug->backend, err->message);
    hotplug_write(hotplug, "hotplug-error", err->message, NULL);
    hotplug_write(hotplug, "hotplug-status", "error", NULL);
}

int main(int argc, char **argv)
{
    struct hotplug hotplug = {.backend = getenv("XENBUS_PATH")};
    struct err err = {.code = ERR_NONE};

    if (argc < 2 || !hotplug.backend) {
        fprintf(stderr, "usage: XENBUS_PATH=... %s add|remove|online|offline\n", argv[0]);
        return 2;
    }
    hotplug.store = xs_open(0);
    if (!hotplug.store) {
        fprintf(stderr, "hotplug: cannot reach xenstored: %s\n", strerror(errno));
        return 1;
    }
    int result = dispatch(&hotplug, basename(argv[0]), argv[1], &err);
    if (result < 0)
        report(&hotplug, &err);
    xs_close(hotplug.store);
    return result < 0 ? 1 : 0;
}
