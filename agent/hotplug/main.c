/* The helper that libxl runs when a back end device of a domain comes or goes, in the place of
 * Xen's shell scripts (which need bash). One binary, installed under the scripts' names. */
#include "base/err.h"
#include "hotplug/block.h"
#include "hotplug/entry.h"
#include "hotplug/vif.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
static void report_failure(const struct hotplug *hotplug, const struct err *err)
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
        report_failure(&hotplug, &err);
    xs_close(hotplug.store);
    return result < 0 ? 1 : 0;
}
