#include "base/log.h"

#include "base/text.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* An error (base/err.h) and what is around it; the rest is cut. */
#define LOG_LINE_BYTES 2048

static char program_name[32] = "slicenode";
static enum log_level threshold = LOG_LEVEL_INFO;
static int console_fd = -1;

void log_open(const char *program, enum log_level level, const char *console_path)
{
    snprintf(program_name, sizeof(program_name), "%s", program);
    threshold = level;
    if (console_fd >= 0)
        close(console_fd);
    /* A console that nobody drains must never hold up the agent. */
    console_fd = console_path
                     ? open(console_path, O_WRONLY | O_APPEND | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
                     : -1;
}

void log_never_waits(void)
{
    struct stat status;
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    if (flags >= 0 && fstat(STDERR_FILENO, &status) == 0 && S_ISFIFO(status.st_mode))
        (void)fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK);
}

static const char *level_prefix(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_DEBUG:
        return "debug: ";
    case LOG_LEVEL_WARNING:
        return "warning: ";
    case LOG_LEVEL_ERROR:
        return "error: ";
    case LOG_LEVEL_INFO:
    case LOG_LEVEL_NOTICE:
        break;
    }
    return "";
}

void log_write(enum log_level level, const char *format, ...)
{
    char message[LOG_LINE_BYTES];
    char line[LOG_LINE_BYTES + 64];
    va_list arguments;
    int length;

    if (level < threshold)
        return;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    text_clean(message);
    length = snprintf(line, sizeof(line), "%s: %s%s\n", program_name, level_prefix(level), message);
    /* One write per line, so that lines of several processes do not mix. A log that cannot be
     * written is no reason to fail. */
    (void)!write(STDERR_FILENO, line, (size_t)length);
    if (level >= LOG_LEVEL_NOTICE && console_fd >= 0)
        (void)!write(console_fd, line, (size_t)length);
}
