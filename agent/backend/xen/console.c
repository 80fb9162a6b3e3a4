/* Where a domain's console can be opened: the pseudo terminal that xenconsoled serves. */
#include "backend/xen/console.h"

#include "backend/backend.h"
#include "backend/xen/list.h"
#include "backend/xen/xen.h"
#include "base/err.h"
#include "base/memory.h"
#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define TERMINALS "/dev/pts/"

/* Root opens it: nothing but a terminal's name is believed. */
static bool is_terminal(const char *path)
{
    if (strncmp(path, TERMINALS, strlen(TERMINALS)) != 0)
        return false;
    const char *number = path + strlen(TERMINALS);
    for (const char *c = number; *c; c++)
        if (!isdigit((unsigned char)*c))
            return false;
    return *number;
}

int be_xen_console_tty(void *state, const char *slice, char path[static TTY_PATH_BYTES],
                       struct err *err)
{
    struct be_xen *xen = state;
    struct xen_domain info;
    char key[64];
    unsigned length;
    int found = be_xen_find(xen, slice, false, &info, err);

    if (found < 0)
        return -1;
    if (!found || info.shutdown)
        return err_set(err, ERR_SLICE_STATE, "slice %s is not running", slice);
    snprintf(key, sizeof(key), "/local/domain/%u/console/tty", info.domid);
    CLEANUP_FREE char *tty = xs_read(xen->store, XBT_NULL, key, &length);
    if (!tty || !is_terminal(tty) || !copy_text(path, TTY_PATH_BYTES, tty))
        return err_set(err, ERR_CONSOLE_UNAVAILABLE,
                       "xenconsoled offers no terminal for slice %s (domain %u)", slice,
                       info.domid);
    return 0;
}
