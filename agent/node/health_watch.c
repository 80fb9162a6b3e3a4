/* Looks after what slices need and do not see: room in the pool and on the state volume, dom0's
 * memory, and what the boot scripts and services found. What is wrong is told before it hurts;
 * what is over is told, too. */
#include "node/health_watch.h"

#include "backend/backend.h"
#include "backend/console_log.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "capacity/health.h"
#include "node/agent.h"
#include "node/kernel_watch.h"
#include "node/parameters.h"
#include "node/problem.h"
#include "operation/capacity.h"
#include "process/loop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define LOOK_INTERVAL_MS 2000
/* For the commits of requests that make room, a few KiB each. Ten times as much the slices'
 * consoles would miss. */
#define RESERVE_BYTES (8u << 20)

struct health {
    enum health_level data, metadata, state, memory;
    unsigned timer;
    struct kernel_watch *kernel;
};

static void enter(struct agent *agent, const char *key, enum health_level level,
                  const struct err *problem)
{
    if (level == HEALTH_GOOD)
        problem_clear(agent, key);
    else
        problem_set(agent, key, problem);
}

/* --- The pool --------------------------------------------------------------------------------- */

static void look_at_pool(struct agent *agent)
{
    struct health *health = agent->health;
    struct storage *storage = &agent->backend.storage;
    struct pool_usage pool;
    struct err problem;
    if (!storage->usage)
        return;
    if (storage->usage(storage->state, &pool, &problem) < 0) {
        problem_set(agent, "pool", &problem);
        return;
    }
    problem_clear(agent, "pool");
    health->data = health_data(&pool, health->data, &problem);
    enter(agent, "pool-data", health->data, &problem);
    health->metadata = health_metadata(&pool, health->metadata, &problem);
    enter(agent, "pool-metadata", health->metadata, &problem);
    enter(agent, "mirror", health_mirror(&pool, &problem), &problem);
}

/* --- The state volume ------------------------------------------------------------------------- */

static char *reserve_path(const struct agent *agent)
{
    return xasprintf("%s/reserve", agent->options.state_dir);
}

static uint64_t state_free(const struct agent *agent)
{
    struct statvfs status;
    if (statvfs(agent->options.state_dir, &status) < 0)
        return UINT64_MAX;
    /* Not f_bfree: that counts what ext4 keeps for itself (up to 16 MiB) and gives to nobody. */
    return (uint64_t)status.f_bavail * status.f_frsize;
}

/* So that requests that make room can be recorded however full the volume is. */
static void keep_reserve(const struct agent *agent)
{
    CLEANUP_FREE char *path = reserve_path(agent);
    if (access(path, F_OK) == 0 || state_free(agent) < 2ull * RESERVE_BYTES)
        return;
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int result = fd < 0 ? errno : posix_fallocate(fd, 0, RESERVE_BYTES);
    if (result != 0) {
        log_warning("cannot keep a reserve in %s: %s", path, strerror(result));
        unlink(path);
    }
}

/* First the reserve; when that is used, too, the older halves of the slices' consoles. */
static void make_room(const struct agent *agent)
{
    CLEANUP_FREE char *path = reserve_path(agent);
    if (unlink(path) == 0)
        log_error("the state volume is full: the agent works from its reserve now");
    else
        console_drop_older(agent->options.console_dir);
}

void health_make_room(const struct agent *agent)
{
    if (agent->storage && state_free(agent) < HEALTH_STATE_FULL_BYTES)
        make_room(agent);
}

static void look_at_state(struct agent *agent)
{
    struct health *health = agent->health;
    struct err problem;
    if (!agent->storage)
        return;
    uint64_t left = state_free(agent);
    enum health_level before = health->state;
    health->state = health_state(left, before, &problem);
    if (left < HEALTH_STATE_FULL_BYTES)
        make_room(agent);
    else if (health->state != HEALTH_FULL)
        keep_reserve(agent);
    /* An agent that was started on a full volume has used the reserve before its first look. */
    CLEANUP_FREE char *path = reserve_path(agent);
    if (health->state != HEALTH_FULL && access(path, F_OK) < 0)
        health->state = health_state(0, before, &problem);
    tasks_state_full(agent->tasks, health->state == HEALTH_FULL);
    enter(agent, "state", health->state, &problem);
}

/* --- dom0's memory ---------------------------------------------------------------------------- */

static void look_at_memory(struct agent *agent)
{
    CLEANUP_FREE char *path = xasprintf("%s/meminfo", agent->options.procfs);
    CLEANUP_FREE char *text = NULL;
    size_t length;
    struct err problem;
    if (read_file(path, 1u << 16, &text, &length, NULL) < 0)
        return;
    const char *line = strstr(text, "MemAvailable:");
    if (!line)
        return;
    uint64_t available = strtoull(line + strlen("MemAvailable:"), NULL, 10);
    agent->health->memory = health_memory(available, agent->health->memory, &problem);
    enter(agent, "memory", agent->health->memory, &problem);
}

/* --- What the boot scripts found -------------------------------------------------------------- */

#define BOOT_KEY "boot-"
/* Of a line that names hundreds of disks; of it the first 1000 bytes are told (base/err.h). One
 * that is longer is told of as such. */
#define TOLD_LIMIT (64u << 10)

static char *told_path(const struct agent *agent, const char *area)
{
    return xasprintf("%s/problems/%s", agent->options.run_dir, area);
}

/* A file of RUN_DIR/problems: "code", a tab, the message. */
static void boot_problem(struct agent *agent, const char *area)
{
    CLEANUP_FREE char *path = told_path(agent, area);
    CLEANUP_FREE char *text = NULL;
    char key[64];
    size_t length;
    struct err problem;
    snprintf(key, sizeof(key), BOOT_KEY "%.40s", area);
    int found = read_file_if_there(path, TOLD_LIMIT, &text, &length, &problem);
    if (found < 0)
        problem_set(agent, key, &problem);
    if (found <= 0)
        return;
    text[strcspn(text, "\n")] = '\0';
    char *message = strchr(text, '\t');
    if (!message)
        return;
    *message++ = '\0';
    err_set(&problem, err_code_from_name(text), "%s", message);
    problem_set(agent, key, &problem);
}

static void look_at_boot(struct agent *agent)
{
    CLEANUP_FREE char *folder = told_path(agent, "");
    DIR *open_folder = opendir(folder);
    struct dirent *entry;
    while (open_folder && (entry = readdir(open_folder)))
        if (entry->d_name[0] != '.')
            boot_problem(agent, entry->d_name);
    if (open_folder)
        closedir(open_folder);
    for (unsigned i = agent->problem_count; i-- > 0;) {
        char key[64];
        copy_text(key, sizeof(key), agent->problems[i].key);
        if (strncmp(key, BOOT_KEY, strlen(BOOT_KEY)) != 0)
            continue;
        CLEANUP_FREE char *path = told_path(agent, key + strlen(BOOT_KEY));
        if (access(path, F_OK) < 0)
            problem_clear(agent, key);
    }
}

/* --- Looking ---------------------------------------------------------------------------------- */

static void look(void *context)
{
    struct agent *agent = context;
    agent->health->timer = loop_timer(agent->loop, LOOK_INTERVAL_MS, look, agent);
    look_at_boot(agent);
    look_at_pool(agent);
    look_at_state(agent);
    look_at_memory(agent);
}

void health_open(struct agent *agent)
{
    CLEANUP_FREE char *end = told_path(agent, "agent");
    agent->health = xcalloc(1, sizeof(*agent->health));
    if (agent->storage)
        keep_reserve(agent);
    agent->health->kernel = kernel_watch_open(agent);
    look(agent);
    /* What its supervisor said of the agent's end has been told, and is over. */
    unlink(end);
}

void health_close(struct agent *agent)
{
    if (!agent->health)
        return;
    loop_cancel(agent->loop, agent->health->timer);
    kernel_watch_close(agent->health->kernel);
    free(agent->health);
    agent->health = NULL;
}
