/* One agent at a time for each state folder. The workers hold the lock as well, so that a new
 * agent waits until the last worker of a killed one is really gone: one that hangs in the kernel
 * dies late, and must not meet its successor at the same step. */
#include "sliced/lock.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "conf/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 30000
#define LOOK_MS 5

/* The agent that has written its number there, when it still runs; otherwise 0. */
static pid_t owner(int fd)
{
    char number[32] = "", name[32] = "";
    ssize_t length = pread(fd, number, sizeof(number) - 1, 0);
    pid_t pid = length > 0 ? (pid_t)strtol(number, NULL, 10) : 0;
    CLEANUP_FREE char *path = xasprintf("/proc/%d/comm", (int)pid);
    CLEANUP_CLOSE int comm = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (comm < 0 || read(comm, name, sizeof(name) - 1) <= 0)
        return 0;
    return strcmp(name, "sliced\n") == 0 && pid != getpid() ? pid : 0;
}

static int wait_for_lock(int fd, const char *folder)
{
    uint64_t until = monotonic_ms() + WAIT_MS;
    bool told = false;
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            log_error("cannot lock %s: %s", folder, strerror(errno));
            return -1;
        }
        pid_t pid = owner(fd);
        if (pid) {
            log_error("%s is in use by sliced, process %d: only one can run", folder, (int)pid);
            return -1;
        }
        if (monotonic_ms() > until) {
            log_error("a worker of the agent before this one does not end");
            return -1;
        }
        if (!told)
            log_info("waiting for the workers of the agent before this one");
        told = true;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
    }
    return 0;
}

int state_lock(const char *folder)
{
    CLEANUP_FREE char *path = xasprintf("%s/lock", folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        log_error("cannot open %s: %s", path, strerror(errno));
        exit(1);
    }
    if (wait_for_lock(fd, folder) < 0)
        exit(1);
    if (ftruncate(fd, 0) < 0 || dprintf(fd, "%d\n", (int)getpid()) < 0)
        log_warning("cannot write to %s: %s", path, strerror(errno));
    return fd;
}
