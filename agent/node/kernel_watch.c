#include "node/kernel_watch.h"

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "capacity/kernel_line.h"
#include "node/agent.h"
#include "node/inventory.h"
#include "node/problem.h"
#include "process/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORD_BYTES 8192 /* the longest record of /dev/kmsg */

/* One corrected error is what error correction is for. So many in one boot come from a module that
 * is going to fail; at ten times as many it would be told too late. */
#define CORRECTED_MAX 10

struct kernel_watch {
    struct agent *agent;
    int fd;
    unsigned corrected;
};

/* --- Disks ------------------------------------------------------------------------------------ */

enum disk_part { PART_UNKNOWN, PART_NONE, PART_CLAIMED };

/* Whether the node's storage lies on it. */
static enum disk_part part_of(const struct agent *agent, const char *name)
{
    CLEANUP_JSON json_t *disks = inventory_disks(agent->options.run_dir);
    const json_t *disk;
    size_t index;

    json_array_foreach(disks, index, disk)
    {
        if (strcmp(json_member_text(disk, "name"), name) == 0)
            return strcmp(json_member_text(disk, "state"), "claimed") == 0 ? PART_CLAIMED
                                                                           : PART_NONE;
    }
    return PART_UNKNOWN;
}

/* A stick or virtual medium that was pulled out, or is about to be: the kernel's words are the same
 * as of a disk that dies. */
static bool is_removable(const struct agent *agent, const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/block/%s/removable", agent->options.sysfs, name);
    CLEANUP_FREE char *link = xasprintf("%s/block/%s", agent->options.sysfs, name);
    CLEANUP_FREE char *text = NULL;
    char target[PATH_MAX];
    size_t length;

    if (read_file(path, 16, &text, &length, NULL) == 0 && text[0] == '1')
        return true;
    return realpath(link, target) && strstr(target, "/usb");
}

static bool is_gone(const struct agent *agent, const char *name)
{
    CLEANUP_FREE char *folder = xasprintf("%s/block", agent->options.sysfs);
    CLEANUP_FREE char *path = xasprintf("%s/%s", folder, name);
    return access(folder, F_OK) == 0 && access(path, F_OK) < 0;
}

/* The first sector is told; a disk that dies has thousands. */
static void disk_error(struct agent *agent, const struct kernel_line *line)
{
    const char *name = line->device;
    bool gone = line->news == KERNEL_DISK_GONE || is_gone(agent, name);
    enum disk_part part = part_of(agent, name);
    struct err problem;
    char key[64];

    /* What is left alone has its own problem, with the reason, and nothing of a slice lies
     * there. */
    if (part == PART_NONE || (part == PART_UNKNOWN && (gone || is_removable(agent, name))))
        return;
    snprintf(key, sizeof(key), "disk-%s-%s", gone ? "gone" : "errors", name);
    if (problem_known(agent, key))
        return;
    if (gone)
        err_set(&problem, ERR_STORAGE_ERROR,
                "disk %s does not answer any more: what lies there is out of reach; see its cable, "
                "controller and power",
                name);
    else if (line->is_flush)
        err_set(&problem, ERR_STORAGE_ERROR,
                "disk %s has errors: it cannot keep what it was given to write; move the slices "
                "away and replace the disk",
                name);
    else
        err_set(&problem, ERR_STORAGE_ERROR,
                "disk %s has errors, first at sector %llu: what lies there cannot be read or "
                "written; move the slices away and replace the disk",
                name, (unsigned long long)line->sector);
    problem_set(agent, key, &problem);
}

/* --- The machine ------------------------------------------------------------------------------ */

/* Without it the card does not work, or not as it could; one problem for each driver. */
static void firmware_missing(struct agent *agent, const struct kernel_line *line)
{
    struct err problem;
    char key[64];

    snprintf(key, sizeof(key), "firmware-%.31s", line->driver);
    if (problem_known(agent, key))
        return;
    err_set(&problem, ERR_NOT_CONFIGURED,
            "%s (%s) asks for firmware %s, which this image does not have: build one with `make "
            "firmware`",
            line->driver, line->device, line->file);
    problem_set(agent, key, &problem);
}

static void hardware_error(struct kernel_watch *watch, const struct kernel_line *line)
{
    struct err problem;

    if (!line->is_corrected)
        err_set(&problem, ERR_HYPERVISOR_ERROR,
                "the machine's firmware reports a hardware error that could not be corrected: see "
                "its event log (BMC), memory first");
    else if (++watch->corrected >= CORRECTED_MAX)
        err_set(&problem, ERR_HYPERVISOR_ERROR,
                "the machine's firmware has corrected %d hardware errors or more since the boot: "
                "see its event log (BMC), memory first",
                CORRECTED_MAX);
    else
        return;
    problem_set(watch->agent, line->is_corrected ? "hardware-corrected" : "hardware", &problem);
}

/* --- The log ---------------------------------------------------------------------------------- */

static void line_read(struct kernel_watch *watch, const char *text)
{
    struct kernel_line line = kernel_line_read(text);

    switch (line.news) {
    case KERNEL_NO_NEWS:
        break;
    case KERNEL_DISK_ERROR:
    case KERNEL_DISK_GONE:
        disk_error(watch->agent, &line);
        break;
    case KERNEL_FIRMWARE_MISSING:
        firmware_missing(watch->agent, &line);
        break;
    case KERNEL_HARDWARE_ERROR:
        hardware_error(watch, &line);
        break;
    }
}

/* /dev/kmsg gives one record to each read, and EPIPE when some were overwritten. */
static void kernel_says(void *context, int fd, short events)
{
    struct kernel_watch *watch = context;
    char record[RECORD_BYTES + 1];
    ssize_t length;

    (void)events;
    while ((length = read(fd, record, RECORD_BYTES)) > 0 || (length < 0 && errno == EPIPE)) {
        if (length < 0)
            continue;
        record[length] = '\0';
        for (char *rest = record, *line; (line = strsep(&rest, "\n"));)
            /* What belongs to the record before, such as its device, begins with a blank. */
            if (line[0] != ' ')
                line_read(watch, line);
    }
    if (length == 0 || errno != EAGAIN)
        loop_unwatch(watch->agent->loop, fd);
}

struct kernel_watch *kernel_watch_open(struct agent *agent)
{
    const char *path = agent->options.kernel_log;
    struct kernel_watch *watch = xcalloc(1, sizeof(*watch));

    watch->agent = agent;
    watch->fd = path ? open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
    if (watch->fd >= 0)
        loop_watch(agent->loop, watch->fd, POLLIN, kernel_says, watch);
    else if (path)
        log_warning("cannot read %s: %s", path, strerror(errno));
    return watch;
}

void kernel_watch_close(struct kernel_watch *watch)
{
    if (watch->fd >= 0) {
        loop_unwatch(watch->agent->loop, watch->fd);
        close(watch->fd);
    }
    free(watch);
}
