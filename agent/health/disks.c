#include "health/disks.h"

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "health/ask.h"
#include "health/tell.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Questions open at a time: each is a process of 200 KiB. The others are asked at the next ticks:
 * of 600 disks the last one six minutes later. */
#define ASKED_AT_ONCE 16
/* Of RUN_DIR/disks: some 30,000 disks. A longer one is told of in the log, and no disk is asked. */
#define LIST_LIMIT (16u << 20)
/* A disk that spins up takes ten. At ten times this an operator would look for another reason. */
#define SILENCE_SECONDS 30

struct answer {
    enum smart_verdict verdict;
    struct smart_before before;
    char text[SMART_TEXT_BYTES];
};

struct disk {
    char name[32];
    struct smart_before before;
    bool wanted; /* is to be asked */
    pid_t pid;   /* 0: no question is open */
    int pipe;
    time_t since;
};

struct disks {
    const char *run_dir;
    struct disk *list; /* as many as the machine has had */
    unsigned count;
};

struct disks *disks_open(const char *run_dir)
{
    struct disks *disks = xcalloc(1, sizeof(*disks));
    disks->run_dir = run_dir;
    return disks;
}

static time_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

static void tell_disk(const struct disks *disks, const struct disk *disk, const char *text)
{
    char area[64], message[64 + SMART_TEXT_BYTES];

    snprintf(area, sizeof(area), "health-%s", disk->name);
    snprintf(message, sizeof(message), "disk %s %s", disk->name, text ? text : "");
    tell(disks->run_dir, area, "storage_error", text ? message : NULL);
}

/* --- Asking ----------------------------------------------------------------------------------- */

static void start(struct disk *disk)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return;
    disk->wanted = false;
    disk->pid = fork();
    if (disk->pid == 0) {
        struct answer answer = {.before = disk->before};
        answer.verdict = ask_disk(disk->name, &answer.before, answer.text);
        _exit(write(ends[1], &answer, sizeof(answer)) == sizeof(answer) ? 0 : 1);
    }
    close(ends[1]);
    if (disk->pid < 0) {
        log_warning("disk %s is not asked: %s", disk->name, strerror(errno));
        disk->pid = 0;
        close(ends[0]);
        return;
    }
    disk->pipe = ends[0];
    disk->since = now();
}

static struct disk *find(struct disks *disks, const char *name)
{
    for (unsigned i = 0; i < disks->count; i++)
        if (strcmp(disks->list[i].name, name) == 0)
            return &disks->list[i];
    disks->list = xrealloc(disks->list, (disks->count + 1) * sizeof(*disks->list));
    struct disk *disk = &disks->list[disks->count];
    *disk = (struct disk){.pid = 0};
    if (!copy_text(disk->name, sizeof(disk->name), name))
        return NULL;
    disks->count++;
    return disk;
}

static void start_some(struct disks *disks)
{
    unsigned open = 0;

    /* One that hangs has been told of, and takes no other's place. */
    for (unsigned i = 0; i < disks->count; i++)
        open += disks->list[i].pid != 0 && now() - disks->list[i].since < SILENCE_SECONDS;
    for (unsigned i = 0; i < disks->count && open < ASKED_AT_ONCE; i++) {
        if (!disks->list[i].wanted || disks->list[i].pid != 0)
            continue;
        start(&disks->list[i]);
        open++;
    }
}

/* RUN_DIR/disks: "name TAB MiB TAB state TAB ..." a line. What is not the node's own is nobody's
 * business here. */
void disks_ask(struct disks *disks)
{
    CLEANUP_FREE char *path = xasprintf("%s/disks", disks->run_dir);
    CLEANUP_FREE char *text = NULL;
    size_t length;
    char *rest, *line;
    struct err err;
    int found = read_file_if_there(path, LIST_LIMIT, &text, &length, &err);

    if (found < 0)
        log_error("the disks are not asked how they are: %s", err.message);
    if (found <= 0)
        return;
    for (rest = text; (line = strsep(&rest, "\n"));) {
        const char *name = strsep(&line, "\t");
        struct disk *disk;
        if (!line || !strsep(&line, "\t") || !line || strcmp(strsep(&line, "\t"), "claimed") != 0)
            continue;
        disk = find(disks, name);
        if (disk)
            disk->wanted = true;
    }
    start_some(disks);
}

/* --- Answers ---------------------------------------------------------------------------------- */

static void take(struct disks *disks, struct disk *disk)
{
    struct answer answer;

    if (read(disk->pipe, &answer, sizeof(answer)) == sizeof(answer)) {
        disk->before = answer.before;
        answer.text[SMART_TEXT_BYTES - 1] = '\0';
        tell_disk(disks, disk, answer.verdict == SMART_BAD ? answer.text : NULL);
    }
    close(disk->pipe);
    disk->pid = 0;
}

void disks_collect(struct disks *disks)
{
    for (unsigned i = 0; i < disks->count; i++) {
        struct disk *disk = &disks->list[i];
        if (disk->pid == 0)
            continue;
        if (waitpid(disk->pid, NULL, WNOHANG) == disk->pid) {
            take(disks, disk);
        } else if (now() - disk->since >= SILENCE_SECONDS) {
            /* One that waits for the disk in the kernel cannot be killed; it ends with that. */
            kill(disk->pid, SIGKILL);
            tell_disk(disks, disk,
                      "does not say how it is: it has been asked for half a minute and more; see "
                      "its cable and controller");
        }
    }
    start_some(disks);
}
