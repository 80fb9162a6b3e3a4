/* slicenode.disk: `auto`, `none`, or which disks the node may use and which it may wipe:
 * /dev/NAME[:wipe] and serial=SERIAL[:wipe], separated by commas; with `mirror` in the list
 * everything is kept on two disks. */
#include "base/err.h"
#include "base/memory.h"
#include "base/text.h"
#include "conf/conf.h"

#include <string.h>

/* Named one by one on a command line of 2048 bytes. More are refused, and told: `auto` takes any
 * number. */
#define DISKS_MAX 64
/* A serial number or WWN. Longer is refused, and told. */
#define NAME_LIMIT 64
#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* The part before `:wipe`, which is cut off. */
static int check_entry(char *entry, struct err *err)
{
    char *colon = strchr(entry, ':');
    const char *name;
    bool device;

    if (colon && strcmp(colon, ":wipe") != 0)
        return err_set(err, ERR_CONF_INVALID, "%s: after ':' there can only be wipe",
                       quoted(entry).text);
    if (colon)
        *colon = '\0';
    device = strncmp(entry, "/dev/", 5) == 0;
    if (!device && strncmp(entry, "serial=", 7) != 0)
        return err_set(err, ERR_CONF_INVALID,
                       "%s must be auto, none, mirror, /dev/NAME or serial=SERIAL",
                       quoted(entry).text);
    name = entry + (device ? 5 : 7);
    if (!*name || strlen(name) > NAME_LIMIT || !strchr(ALNUM, *name) || strstr(name, "..") ||
        name[strspn(name, device ? ALNUM "/._-" : ALNUM "._/+-")] != '\0')
        return err_set(err, ERR_CONF_INVALID, "%s is no %s", quoted(entry).text,
                       device ? "device name" : "serial number");
    return 0;
}

int conf_check_disk(char *value, struct err *err)
{
    CLEANUP_FREE char *copy = xstrdup(value);
    const char *seen[DISKS_MAX];
    char *rest = copy, *entry;
    unsigned count = 0;

    if (strcmp(value, "auto") == 0 || strcmp(value, "none") == 0 || strcmp(value, "mirror") == 0 ||
        strcmp(value, "auto,mirror") == 0)
        return 0;
    while ((entry = strsep(&rest, ","))) {
        if (strcmp(entry, "mirror") != 0 && check_entry(entry, err) < 0)
            return -1;
        if (count == DISKS_MAX)
            return err_set(err, ERR_CONF_INVALID, "more than %d disks", DISKS_MAX);
        for (unsigned i = 0; i < count; i++)
            if (strcmp(seen[i], entry) == 0)
                return err_set(err, ERR_CONF_INVALID, "%s is named twice", quoted(entry).text);
        seen[count++] = entry;
    }
    return 0;
}
