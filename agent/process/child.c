#include "process/child.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_DESCRIPTOR 3
/* Given to a child. One more is an error of ours, which is told. */
#define DESCRIPTORS_MAX 8

/* Moves the descriptors to 3, 4, ...: first out of the way of their targets, then into place, where
 * dup2 also clears close-on-exec. */
static int place_descriptors(int *descriptors, size_t count)
{
    const int above = FIRST_DESCRIPTOR + DESCRIPTORS_MAX + 8;
    for (size_t index = 0; index < count; index++) {
        descriptors[index] = fcntl(descriptors[index], F_DUPFD_CLOEXEC, above);
        if (descriptors[index] < 0)
            return -1;
    }
    for (size_t index = 0; index < count; index++)
        if (dup2(descriptors[index], FIRST_DESCRIPTOR + (int)index) < 0)
            return -1;
    return 0;
}

static void reset_signals(void)
{
    sigset_t none;
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL); /* fails for SIGKILL and a few of the C library's: harmless */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* When memory is short a child that works on one request goes first, not the agent; its bytes
 * can be fetched again. */
static void go_first(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)!write(fd, "500", 3);
    close(fd);
}

/* In the child. Writes the errno value of what failed to `report`, which a successful execve
 * closes. */
static void run_child(const char *path, const char *const argv[], int *descriptors, size_t count,
                      int report)
{
    static const char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    int null = open("/dev/null", O_RDWR);
    int kept_report = fcntl(report, F_DUPFD_CLOEXEC, FIRST_DESCRIPTOR + 2 * DESCRIPTORS_MAX + 8);
    if (null >= 0 && kept_report >= 0 && dup2(null, 0) >= 0 && dup2(null, 1) >= 0 &&
        place_descriptors(descriptors, count) == 0) {
        unsigned first_unused = FIRST_DESCRIPTOR + (unsigned)count;
        const unsigned close_on_exec = 1u << 2;
        syscall(SYS_close_range, first_unused, ~0u, close_on_exec);
        reset_signals();
        go_first();
        execve(path, (char *const *)argv, (char *const *)environment);
    }
    int error_number = errno;
    (void)write_full(kept_report >= 0 ? kept_report : report, &error_number, sizeof(error_number));
    _exit(127);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int spawn(const char *path, const char *const argv[], const int *descriptors, size_t count,
                 int wire, struct child *child, struct err *err)
{
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0)
        return err_errno(err, ERR_INTERNAL, errno, "%s: pipe", child->name);
    child->pid = fork();
    if (child->pid == 0) {
        int inherited[DESCRIPTORS_MAX] = {wire};
        for (size_t index = 0; index < count; index++)
            inherited[index + 1] = descriptors[index];
        run_child(path, argv, inherited, count + 1, report[1]);
    }
    int fork_error = errno;
    close(report[1]);
    int error_number = 0;
    long got = child->pid > 0 ? read_full(report[0], &error_number, sizeof(error_number)) : 0;
    close(report[0]);
    if (child->pid < 0) {
        child->pid = 0;
        return err_errno(err, ERR_INTERNAL, fork_error, "%s: fork", child->name);
    }
    if (got == sizeof(error_number)) {
        child_stop(child);
        return err_errno(err, ERR_INTERNAL, error_number, "cannot run %s", path);
    }
    return 0;
}

int child_spawn(const char *path, const char *const argv[], const int *descriptors, size_t count,
                struct child *child, struct err *err)
{
    *child = CHILD_NONE;
    copy_text(child->name, sizeof(child->name), base_name(path));
    if (count >= DESCRIPTORS_MAX)
        return err_set(err, ERR_INTERNAL, "%s: too many descriptors", child->name);
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return err_errno(err, ERR_INTERNAL, errno, "%s: socket", child->name);
    child->socket = ends[0];
    int result = spawn(path, argv, descriptors, count, ends[1], child, err);
    close(ends[1]);
    if (result != 0)
        child_stop(child);
    return result;
}

static int reap(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

void child_stop(struct child *child)
{
    if (child->socket >= 0)
        close(child->socket);
    child->socket = -1;
    if (child->pid > 0) {
        kill(child->pid, SIGKILL);
        reap(child->pid);
    }
    child->pid = 0;
}

void child_describe(const char *name, int status, char *text, size_t size)
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        snprintf(text, size, "%s was killed for a system call that its sandbox forbids", name);
    else if (WIFSIGNALED(status))
        snprintf(text, size, "%s was killed by signal %d (%s)", name, WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(text, size, "%s exited with status %d", name, WEXITSTATUS(status));
}

int child_finish(struct child *child, int timeout_ms, struct err *err)
{
    if (child->pid <= 0)
        return err_set(err, ERR_INTERNAL, "%s does not run", child->name);
    int status = 0;
    uint64_t end = monotonic_ms() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0);
    pid_t gone = 0;
    while ((gone = waitpid(child->pid, &status, WNOHANG)) == 0 && monotonic_ms() < end)
        poll(NULL, 0, 5);
    if (gone == child->pid)
        child->pid = 0;
    child_stop(child);
    if (gone <= 0)
        return err_set(err, ERR_INTERNAL, "%s did not end and was killed", child->name);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    char text[128];
    child_describe(child->name, status, text, sizeof(text));
    return err_set(err, ERR_INTERNAL, "%s", text);
}
