/* Xen's command line, asked of Xen itself: nothing in /sys or /proc shows it. Without libxc, which
 * would make a program of a few kilobytes one of several hundred. */
#include "base/memory.h"
#include "conf/xen.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Xen's public interface: xen.h, version.h, and Linux's include/uapi of privcmd. */
#define HYPERCALL_XEN_VERSION 17
#define XENVER_COMMAND_LINE 9
#define COMMAND_LINE_BYTES 1024

struct privcmd_hypercall {
    uint64_t op;
    uint64_t arg[5];
};

#define PRIVCMD_HYPERCALL _IOC(_IOC_NONE, 'P', 0, sizeof(struct privcmd_hypercall))

char *xen_command_line(void)
{
    /* Written by Xen, which does not wait for a page that is not there: it is touched before. */
    static char line[COMMAND_LINE_BYTES] __attribute__((aligned(COMMAND_LINE_BYTES)));
    struct privcmd_hypercall call = {.op = HYPERCALL_XEN_VERSION,
                                     .arg = {XENVER_COMMAND_LINE, (uintptr_t)line}};
    CLEANUP_CLOSE int fd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    memset(line, '\n', sizeof(line));
    if (ioctl(fd, PRIVCMD_HYPERCALL, &call) < 0)
        return NULL;
    line[sizeof(line) - 1] = '\0';
    return xstrdup(line);
}
