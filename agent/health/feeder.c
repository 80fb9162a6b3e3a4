/* What must be alive for a machine to be left alone: dom0's kernel, and its ability to start a
 * program, without which no slice's disk or card connects, nobody logs in, and nothing recovers.
 * The agent's death is none of it: its supervisor starts it again, and slices run on meanwhile. */
#include "health/feeder.h"

#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Longer than anything that dom0 does without starting a program: the reset of a SCSI bus takes
 * half a minute. Ten times as long is what an operator needs to come and look himself. */
#define TIMEOUT_SECONDS 120

static void open_one(struct feeder *feeder, const char *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC), seconds = TIMEOUT_SECONDS;
    struct watchdog_info info = {.identity = "unknown"};

    if (fd < 0) {
        if (errno != ENOENT)
            log_warning("%s: %s", path, strerror(errno));
        return;
    }
    ioctl(fd, WDIOC_GETSUPPORT, &info);
    /* One that cannot wait so long keeps its own time, which is more than a tick with all of them.
     */
    if (ioctl(fd, WDIOC_SETTIMEOUT, &seconds) < 0 && ioctl(fd, WDIOC_GETTIMEOUT, &seconds) < 0)
        seconds = 0;
    log_info("%s (%s): %d s", path, (const char *)info.identity, seconds);
    feeder->fds[feeder->count++] = fd;
}

void feeder_open(struct feeder *feeder, const char *folder)
{
    *feeder = (struct feeder){.count = 0};
    for (unsigned i = 0; i < WATCHDOGS_MAX; i++) {
        CLEANUP_FREE char *path = xasprintf("%s/watchdog%u", folder, i);
        open_one(feeder, path);
    }
    if (feeder->count == 0)
        log_warning("this machine has no watchdog");
}

static void start_probe(struct feeder *feeder, const char *program)
{
    pid_t pid = fork();

    if (pid == 0) {
        execl(program, program, (char *)NULL);
        _exit(127);
    }
    if (pid < 0)
        log_error("nothing can be started: %s", strerror(errno));
    else
        feeder->probe = pid;
}

void feeder_tick(struct feeder *feeder, const char *program)
{
    bool was_alive = feeder->probe > 0 && waitpid(feeder->probe, NULL, WNOHANG) == feeder->probe;

    if (was_alive) {
        feeder->probe = 0;
        for (unsigned i = 0; i < feeder->count; i++)
            if (write(feeder->fds[i], "", 1) < 0)
                log_warning("a watchdog cannot be fed: %s", strerror(errno));
    } else if (feeder->probe > 0) {
        log_error("the program that was started to see whether one can be has not ended");
    }
    if (feeder->probe == 0)
        start_probe(feeder, program);
}
