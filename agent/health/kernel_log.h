/* Keeps the kernel's log: every line goes to this program's own, which lies on the state volume. A
 * task that hangs for good ends the machine, after the lines before it were made to last. */
#ifndef SLICENODE_HEALTH_KERNEL_LOG_H
#define SLICENODE_HEALTH_KERNEL_LOG_H

#include <stdbool.h>

struct kernel_log {
    int fd;
    const char *last_words; /* file; NULL: none is kept, and nothing is ended */
};

void kernel_log_open(struct kernel_log *log, const char *path, const char *last_words);

/* Reads what there is and comes, for so long. */
void kernel_log_wait(struct kernel_log *log, int milliseconds);

/* A record as it stands in /dev/kmsg, without what is not of the kernel or only for its developers:
 * "level [seconds] text" in its place; false: nothing to be kept. Pure. */
bool kernel_log_line(char *record);

/* Whether a line says that a task has waited for more than the kernel's limit. Pure. */
bool kernel_log_tells_of_hang(const char *line);

#endif
