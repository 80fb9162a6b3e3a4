#include "health/kernel_log.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RECORD_BYTES 8192 /* the longest record of /dev/kmsg */
#define LEVEL_DEBUG 7
/* The whole of the kernel's own buffer (CONFIG_LOG_BUF_SHIFT). */
#define LAST_WORDS_BYTES (128u << 10)
/* The disk that the words are to lie on may be the one that everything waits for. */
#define LAST_WORDS_SECONDS 20

void kernel_log_open(struct kernel_log *log, const char *path, const char *last_words)
{
    *log = (struct kernel_log){.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC),
                               .last_words = last_words};
    if (log->fd < 0)
        log_warning("%s: %s", path, strerror(errno));
}

bool kernel_log_line(char *record)
{
    char *end, *text = strchr(record, ';'), line[RECORD_BYTES];
    unsigned long priority = strtoul(record, &end, 10), microseconds;

    if (!text || *end != ',' || priority >= LEVEL_DEBUG)
        return false;
    end = strchr(end + 1, ',');
    microseconds = end ? strtoul(end + 1, NULL, 10) : 0;
    text[1 + strcspn(text + 1, "\n")] = '\0';
    snprintf(line, sizeof(line), "%lu [%lu.%06lu] %.*s", priority, microseconds / 1000000,
             microseconds % 1000000, RECORD_BYTES - 64, text + 1);
    memcpy(record, line, strlen(line) + 1);
    return true;
}

bool kernel_log_tells_of_hang(const char *line)
{
    const char *at = strstr(line, "] INFO: task ");
    return at && strstr(at, " blocked for more than ");
}

/* --- The end ---------------------------------------------------------------------------------- */

/* In a process of its own: the whole log once more, into a file that is made to last. */
static void write_last_words(const char *kmsg, const char *path)
{
    int from = open(kmsg, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    char record[RECORD_BYTES + 2];
    size_t total = 0;
    ssize_t length;

    while (from >= 0 && to >= 0 && total < LAST_WORDS_BYTES &&
           ((length = read(from, record, RECORD_BYTES)) > 0 || (length < 0 && errno == EPIPE))) {
        if (length < 0)
            continue;
        record[length] = '\0';
        if (!kernel_log_line(record))
            continue;
        size_t used = strlen(record);
        record[used++] = '\n';
        if (write_full(to, record, used) < 0)
            break;
        total += used;
    }
    _exit(to >= 0 && fsync(to) == 0 ? 0 : 1);
}

static void end_machine(const struct kernel_log *log)
{
    pid_t pid;

    log_error("a task hangs for good: the machine is started anew");
    pid = fork();
    if (pid == 0)
        write_last_words("/dev/kmsg", log->last_words);
    for (int i = 0; pid > 0 && i < LAST_WORDS_SECONDS * 10; i++) {
        if (waitpid(pid, NULL, WNOHANG) == pid)
            break;
        poll(NULL, 0, 100);
    }
    /* A panic rather than a restart: the kernel gives its last words to the firmware and the BMC,
     * and waits for nothing. */
    int trigger = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
    if (trigger < 0 || write(trigger, "c", 1) < 0)
        log_error("/proc/sysrq-trigger: %s", strerror(errno));
}

/* --- Reading ---------------------------------------------------------------------------------- */

static void keep(const struct kernel_log *log, char *record)
{
    if (!kernel_log_line(record))
        return;
    dprintf(STDERR_FILENO, "kernel: %s\n", record);
    if (log->last_words && kernel_log_tells_of_hang(record))
        end_machine(log);
}

void kernel_log_wait(struct kernel_log *log, int milliseconds)
{
    struct pollfd wanted = {.fd = log->fd, .events = POLLIN};
    char record[RECORD_BYTES + 1];
    ssize_t length;

    /* A negative descriptor is one that poll leaves alone. */
    if (poll(&wanted, 1, milliseconds > 0 ? milliseconds : 0) <= 0)
        return;
    while ((length = read(log->fd, record, RECORD_BYTES)) > 0 || (length < 0 && errno == EPIPE)) {
        if (length < 0)
            continue;
        record[length] = '\0';
        keep(log, record);
    }
    if (length == 0 || errno != EAGAIN)
        log->fd = -1;
}
