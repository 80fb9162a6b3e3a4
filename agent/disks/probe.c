#include "disks/probe.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "disks/content.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A reader holds a buffer of 1 MiB and libblkid's; the kernel keeps what was read. With ten
 * times as many, dom0's memory would be tight. */
#define SIDE_BY_SIDE 16

_Static_assert(sizeof(struct disk_content) <= 4096, "a pipe takes it in one piece");

struct reader {
    struct disk *disk; /* NULL: none */
    pid_t pid;
    int fd;
    uint64_t end_ms;
};

static void could_not(struct disk *disk, const char *why)
{
    memset(&disk->content, 0, sizeof(disk->content));
    disk->content.read = READ_FAILED;
    snprintf(disk->content.failure, sizeof(disk->content.failure), "%s", why);
}

static void read_in_child(const struct disk_folders *folders, const struct disk *disk, int to)
{
    struct disk_content content = {.read = READ_FAILED};
    struct err err;
    int fd = sysfs_open(folders, disk, O_RDONLY, &err);

    if (fd < 0)
        snprintf(content.failure, sizeof(content.failure), "%.100s", err.message);
    else
        content_read(fd, disk->size_bytes, &content);
    _exit(write_full(to, &content, sizeof(content)) < 0);
}

static void start(const struct disk_folders *folders, struct disk *disk, int limit_ms,
                  struct reader *reader)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return could_not(disk, strerror(errno));
    reader->pid = fork();
    if (reader->pid == 0)
        read_in_child(folders, disk, ends[1]);
    close(ends[1]);
    if (reader->pid < 0) {
        close(ends[0]);
        return could_not(disk, strerror(errno));
    }
    reader->disk = disk;
    reader->fd = ends[0];
    reader->end_ms = monotonic_ms() + (uint64_t)limit_ms;
}

/* A process that waits for a drive which does not answer cannot be ended; it is left behind. */
static void finish(struct reader *reader)
{
    struct disk *disk = reader->disk;

    if (read_full(reader->fd, &disk->content, sizeof(disk->content)) != (long)sizeof(disk->content))
        could_not(disk, "its reader ended early");
    close(reader->fd);
    waitpid(reader->pid, NULL, 0);
    reader->disk = NULL;
}

static void give_up(struct reader *reader, int limit_ms)
{
    char why[DISK_TEXT_BYTES];

    snprintf(why, sizeof(why), "no answer within %d s", limit_ms / 1000);
    could_not(reader->disk, why);
    kill(reader->pid, SIGKILL);
    waitpid(reader->pid, NULL, WNOHANG);
    close(reader->fd);
    reader->disk = NULL;
}

/* Waits until one of the readers is done, or its time over. Returns how many are left. */
static unsigned wait_for_readers(struct reader *readers, int limit_ms)
{
    struct pollfd fds[SIDE_BY_SIDE];
    struct reader *waited[SIDE_BY_SIDE];
    unsigned count = 0, left = 0;
    uint64_t now = monotonic_ms(), next = now + (uint64_t)limit_ms;

    for (unsigned i = 0; i < SIDE_BY_SIDE; i++) {
        if (!readers[i].disk)
            continue;
        if (readers[i].end_ms < next)
            next = readers[i].end_ms;
        waited[count] = &readers[i];
        fds[count++] = (struct pollfd){.fd = readers[i].fd, .events = POLLIN};
    }
    if (count == 0)
        return 0;
    poll(fds, count, next > now ? (int)(next - now) : 0);
    now = monotonic_ms();
    for (unsigned i = 0; i < count; i++) {
        if (fds[i].revents)
            finish(waited[i]);
        else if (now >= waited[i]->end_ms)
            give_up(waited[i], limit_ms);
        else
            left++;
    }
    return left;
}

void probe_disks(const struct disk_folders *folders, struct disk *disks, unsigned count,
                 int limit_ms)
{
    struct reader readers[SIDE_BY_SIDE] = {{.disk = NULL}};
    unsigned next = 0;

    do {
        for (unsigned i = 0; i < SIDE_BY_SIDE && next < count; i++)
            if (!readers[i].disk)
                start(folders, &disks[next++], limit_ms, &readers[i]);
    } while (wait_for_readers(readers, limit_ms) > 0 || next < count);
}
