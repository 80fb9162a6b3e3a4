#include "disks/command.h"
#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOT_STARTED 127

static void run_in_child(const char *const argv[], int output)
{
    int nothing = open("/dev/null", O_RDONLY);

    if (nothing >= 0 && dup2(nothing, 0) >= 0 && dup2(output, 1) >= 0)
        execv(argv[0], (char *const *)argv);
    _exit(NOT_STARTED);
}

/* 1 when there may be more, 0 at the end, -1. */
static int read_some(int fd, int left_ms, size_t limit, char **text, size_t *length,
                     struct err *err)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    ssize_t got;

    if (poll(&poller, 1, left_ms) == 0)
        return err_set(err, ERR_TIMEOUT, "no end in sight");
    if (*length == limit)
        return err_set(err, ERR_STORAGE_ERROR, "more than %zu bytes of output", limit);
    *text = xrealloc(*text, limit + 1);
    got = read(fd, *text + *length, limit - *length);
    if (got < 0)
        return errno == EINTR ? 1 : err_errno(err, ERR_STORAGE_ERROR, errno, "its output");
    *length += (size_t)got;
    return got > 0;
}

static int read_all(int fd, int timeout_ms, size_t limit, char **text, struct err *err)
{
    uint64_t end = monotonic_ms() + (uint64_t)timeout_ms;
    size_t length = 0;
    int more;

    do {
        uint64_t now = monotonic_ms();
        more = read_some(fd, now < end ? (int)(end - now) : 0, limit, text, &length, err);
    } while (more > 0);
    if (more == 0)
        (*text)[length] = '\0';
    return more;
}

static int check_status(int status, struct err *err)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_STARTED)
        return err_set(err, ERR_STORAGE_ERROR, "could not be started");
    return err_set(err, ERR_STORAGE_ERROR, "ended with %s %d",
                   WIFEXITED(status) ? "status" : "signal",
                   WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

int command_output(const char *const argv[], int timeout_ms, size_t limit, char **output,
                   struct err *err)
{
    CLEANUP_FREE char *text = NULL;
    int ends[2], status, result;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "%s", argv[0]);
    pid = fork();
    if (pid == 0)
        run_in_child(argv, ends[1]);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return err_errno(err, ERR_STORAGE_ERROR, errno, "%s", argv[0]);
    }
    result = read_all(ends[0], timeout_ms, limit, &text, err);
    close(ends[0]);
    if (result < 0) {
        kill(pid, SIGKILL);
        /* One that waits for a drive cannot be ended. */
        waitpid(pid, &status, WNOHANG);
    } else if (waitpid(pid, &status, 0) == pid) {
        result = check_status(status, err);
    }
    if (result < 0)
        return err_context(err, "%s %s", argv[0], argv[1] ? argv[1] : "");
    *output = text;
    text = NULL;
    return 0;
}
