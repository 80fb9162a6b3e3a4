/* The simulated hypervisor: a domain is a file. */
#include "backend/sim/domain.h"

#include "backend/backend.h"
#include "backend/domain_list.h"
#include "backend/sim/console.h"
#include "backend/sim/disk.h"
#include "backend/sim/folder.h"
#include "backend/sim/memory.h"
#include "backend/sim/moment.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/memory.h"
#include "base/text.h"
#include "capacity/admit.h"
#include "model/size.h"
#include "model/slice.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define MEMORY_MIB_USUAL 16384
#define DOM0_MIB_USUAL 2048
#define THREADS_USUAL 8

/* A disk that begins so has no boot loader that finds anything, or ends at once. */
#define MARK_UNBOOTABLE "NOBOOT"
#define MARK_HALTS "HALTS!"

static enum shutdown_reason reason_of(const char *text)
{
    if (!text)
        return SHUTDOWN_NONE;
    return strcmp(text, "poweroff") == 0  ? SHUTDOWN_POWEROFF
           : strcmp(text, "reboot") == 0  ? SHUTDOWN_REBOOT
           : strcmp(text, "crash") == 0   ? SHUTDOWN_CRASH
           : strcmp(text, "suspend") == 0 ? SHUTDOWN_SUSPEND
                                          : SHUTDOWN_OTHER;
}

static int sim_find(void *state, const char *slice, struct domain_info *info, struct err *err)
{
    struct sim *sim = state;
    CLEANUP_FREE char *path = sim_domain_path(sim, slice);
    json_t *domain = sim_load(path);
    const char *word = json_string_value(json_object_get(domain, "state"));
    (void)err;
    if (word) {
        memset(info, 0, sizeof(*info));
        copy_text(info->slice, sizeof(info->slice), slice);
        info->domain_id = (int)json_integer_value(json_object_get(domain, "domain_id"));
        info->state = strcmp(word, "running") == 0  ? DOMAIN_RUNNING
                      : strcmp(word, "paused") == 0 ? DOMAIN_PAUSED
                                                    : DOMAIN_SHUTDOWN;
        info->reason = reason_of(json_string_value(json_object_get(domain, "reason")));
        info->cpu_ms = monotonic_ms() / 10;
        info->memory_kib =
            (uint64_t)json_integer_value(json_object_get(domain, "memory_mib")) * 1024;
    }
    bool found = word;
    json_decref(domain);
    return found;
}

static int sim_list(void *state, struct domain_info **list, size_t *count, struct err *err)
{
    struct sim *sim = state;
    CLEANUP_FREE char *folder = xasprintf("%s/domains", sim->folder);
    DIR *open_folder = opendir(folder);
    struct dirent *entry;
    size_t room = 0;
    *list = NULL;
    *count = 0;
    if (!open_folder)
        return err_errno(err, ERR_HYPERVISOR_ERROR, errno, "cannot list %s", folder);
    while ((entry = readdir(open_folder))) {
        if (!uuid_valid(entry->d_name))
            continue;
        if (*count == room)
            *list = xrealloc(*list, (room = 2 * room + 16) * sizeof(**list));
        if (sim_find(sim, entry->d_name, &(*list)[*count], NULL) == 1)
            (*count)++;
    }
    closedir(open_folder);
    domain_list_sort(*list, *count);
    return 0;
}

static uint64_t memory_used_mib(struct sim *sim)
{
    CLEANUP_FREE struct domain_info *list = NULL;
    size_t count;
    uint64_t used = 0;
    if (sim_list(sim, &list, &count, NULL) < 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        used += list[i].memory_kib / 1024;
    return used;
}

static int sim_host(void *state, struct host_info *info, struct err *err)
{
    struct sim *sim = state;
    uint64_t all = (uint64_t)sim_number(sim, "memory_mib", MEMORY_MIB_USUAL);
    uint64_t used = memory_used_mib(sim);
    (void)err;
    memset(info, 0, sizeof(*info));
    copy_text(info->hypervisor_version, sizeof(info->hypervisor_version), "4.20.0-sim");
    copy_text(info->cpu_model, sizeof(info->cpu_model), "Simulated CPU");
    info->threads = (unsigned)sim_number(sim, "threads", THREADS_USUAL);
    info->memory_mib = all + 512;
    info->memory_free_mib = used < all ? all - used : 0;
    info->dom0_kib = (uint64_t)sim_number(sim, "dom0_mib", DOM0_MIB_USUAL) << 10;
    info->pvh = sim_flag(sim, "pvh", true);
    info->pv = sim_flag(sim, "pv", true);
    return 0;
}

static void print_console(struct sim *sim, const char *slice, const char *text)
{
    CLEANUP_FREE char *path = xasprintf("%s/guest-%s.log", sim->console_dir, slice);
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0)
        (void)!write(fd, text, strlen(text));
}

/* What the slice's disk begins with decides what it prints; true when it runs on. */
static bool boot(struct sim *sim, const struct domain_config *config)
{
    char mark[sizeof(MARK_UNBOOTABLE)] = "";
    CLEANUP_CLOSE int fd = open(config->disk_path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        (void)!read(fd, mark, sizeof(mark) - 1);
    if (strcmp(mark, MARK_UNBOOTABLE) == 0) {
        print_console(sim, config->slice->id,
                      "error: no such device: /boot/grub/grub.cfg.\r\n\r\ngrub> ");
        return true;
    }
    if (strcmp(mark, MARK_HALTS) == 0) {
        print_console(sim, config->slice->id, "error: no suitable image\r\n");
        return false;
    }
    CLEANUP_FREE char *text = sim_text(sim, "boot_text");
    print_console(sim, config->slice->id,
                  text ? text : "Linux version 6.12.0 (sim)\r\nsim login: ");
    return true;
}

static int start_locked(struct sim *sim, const struct domain_config *config, int *domain_id,
                        struct err *err)
{
    CLEANUP_FREE char *path = sim_domain_path(sim, config->slice->id);
    const struct domain_size size = slice_size(config->slice);
    uint64_t needed = admit_domain_memory_mib(&size);
    uint64_t all = (uint64_t)sim_number(sim, "memory_mib", MEMORY_MIB_USUAL);
    json_t *present = sim_load(path);
    if (present) {
        *domain_id = (int)json_integer_value(json_object_get(present, "domain_id"));
        json_decref(present);
        return 0;
    }
    if (access(config->disk_path, R_OK) < 0 || access(config->seed_path, R_OK) < 0)
        return err_errno(err, ERR_HYPERVISOR_ERROR, errno, "a disk of slice %s is not there",
                         config->slice->id);
    if (memory_used_mib(sim) + needed > all)
        return err_set(err, ERR_HYPERVISOR_ERROR, "the simulated machine has no memory left");
    json_t *disks = sim_disks(config, err);
    if (!disks)
        return -1;
    *domain_id = sim_next_domain(sim);
    bool runs = boot(sim, config);
    json_t *domain =
        json_pack("{s:i, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o}", "domain_id", *domain_id, "state",
                  runs ? "running" : "shutdown", "reason", runs ? "none" : "poweroff", "memory_mib",
                  (json_int_t)needed, "vcpus", (json_int_t)size.vcpus, "max_vcpus",
                  (json_int_t)size.max_vcpus, "given_mib", (json_int_t)size.memory_mib,
                  "max_given_mib", (json_int_t)size.max_memory_mib, "disks", disks);
    int result = sim_save(path, domain, err);
    json_decref(domain);
    return result;
}

static int sim_start(void *state, const struct domain_config *config, int *domain_id,
                     struct err *err)
{
    if (sim_enter(state, "domain_start", err) < 0)
        return -1;
    int lock = sim_lock(state);
    int result = start_locked(state, config, domain_id, err);
    close(lock);
    sim_leave(state);
    return result;
}

static int sim_shutdown(void *state, const char *slice, bool reboot, struct err *err)
{
    struct sim *sim = state;
    CLEANUP_FREE char *path = sim_domain_path(sim, slice);
    int result = 0;
    if (sim_enter(sim, "domain_shutdown", err) < 0)
        return -1;
    int lock = sim_lock(sim);
    json_t *domain = sim_load(path);
    const char *now = json_string_value(json_object_get(domain, "state"));
    bool hears = now && strcmp(now, "running") == 0;
    if (hears && !sim_flag(sim, "ignore_shutdown", false)) {
        json_object_set_new(domain, "state", json_string("shutdown"));
        json_object_set_new(domain, "reason", json_string(reboot ? "reboot" : "poweroff"));
        result = sim_save(path, domain, err);
    }
    json_decref(domain);
    close(lock);
    sim_leave(sim);
    return result;
}

static int set_state(struct sim *sim, const char *slice, const char *from, const char *to,
                     struct err *err)
{
    CLEANUP_FREE char *path = sim_domain_path(sim, slice);
    int result = 0;
    int lock = sim_lock(sim);
    json_t *domain = sim_load(path);
    const char *state = json_string_value(json_object_get(domain, "state"));
    if (!state) {
        result = err_set(err, ERR_SLICE_STATE, "slice %s has no running domain", slice);
    } else if (strcmp(state, from) == 0) {
        json_object_set_new(domain, "state", json_string(to));
        result = sim_save(path, domain, err);
    }
    json_decref(domain);
    close(lock);
    return result;
}

static int sim_pause(void *state, const char *slice, struct err *err)
{
    if (sim_enter(state, "domain_pause", err) < 0 ||
        set_state(state, slice, "running", "paused", err) < 0)
        return -1;
    sim_leave(state);
    return 0;
}

static int sim_unpause(void *state, const char *slice, struct err *err)
{
    if (sim_enter(state, "domain_unpause", err) < 0 ||
        set_state(state, slice, "paused", "running", err) < 0)
        return -1;
    sim_leave(state);
    return 0;
}

/* `memory_mib` is what the domain takes with its overhead. */
static void resize_domain(json_t *domain, const char *name, const struct domain_change *change)
{
    json_int_t more = (json_int_t)change->to - json_integer_value(json_object_get(domain, name));
    json_t *memory = json_object_get(domain, "memory_mib");
    json_object_set_new(domain, name, json_integer((json_int_t)change->to));
    if (strcmp(name, "given_mib") == 0)
        json_integer_set(memory, json_integer_value(memory) + more);
}

static int sim_resize(struct sim *sim, const char *slice, const char *name,
                      const struct domain_change *change, bool *now, struct err *err)
{
    CLEANUP_FREE char *path = sim_domain_path(sim, slice);
    CLEANUP_FREE char *max_name = xasprintf("max_%s", name);
    int lock = sim_lock(sim), result = 0;
    json_t *domain = sim_load(path);
    const char *state = json_string_value(json_object_get(domain, "state"));
    bool gives = change->to >= change->from || !sim_flag(sim, "ignore_balloon", false);
    *now = state && strcmp(state, "shutdown") != 0 && gives &&
           (json_int_t)change->to <= json_integer_value(json_object_get(domain, max_name));
    if (*now) {
        resize_domain(domain, name, change);
        result = sim_save(path, domain, err);
    }
    json_decref(domain);
    close(lock);
    return result;
}

static int sim_set_vcpus(void *state, const char *slice, const struct domain_change *change,
                         bool *now, struct err *err)
{
    if (sim_enter(state, "domain_set_vcpus", err) < 0 ||
        sim_resize(state, slice, "vcpus", change, now, err) < 0)
        return -1;
    sim_leave(state);
    return 0;
}

static int sim_set_memory(void *state, const char *slice, const struct domain_change *change,
                          bool *now, struct err *err)
{
    if (sim_enter(state, "domain_set_memory", err) < 0 ||
        sim_resize(state, slice, "given_mib", change, now, err) < 0)
        return -1;
    sim_leave(state);
    return 0;
}

static int sim_destroy(void *state, const char *slice, struct err *err)
{
    CLEANUP_FREE char *path = sim_domain_path(state, slice);
    if (sim_enter(state, "domain_destroy", err) < 0)
        return -1;
    int gone = unlink(path);
    if (gone < 0 && errno != ENOENT)
        return err_errno(err, ERR_HYPERVISOR_ERROR, errno, "cannot remove %s", path);
    sim_leave(state);
    return 0;
}

static int sim_prefer_host(void *state, struct err *err)
{
    (void)state;
    (void)err;
    return 0;
}

/* The simulated machine goes down when the test says so: only the wish is noted. */
static int sim_reboot(void *state, struct err *err)
{
    struct sim *sim = state;
    CLEANUP_FREE char *path = xasprintf("%s/reboot", sim->folder);
    if (sim_enter(sim, "reboot", err) < 0)
        return -1;
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, ERR_INTERNAL, errno, "cannot write %s", path);
    sim_leave(sim);
    return 0;
}

static int sim_counters(void *state, const struct domain_info *domains, size_t count,
                        struct domain_counters *counters, struct err *err)
{
    (void)state;
    (void)domains;
    (void)err;
    for (size_t i = 0; i < count; i++)
        counters[i] = (struct domain_counters){.disk_read_bytes = 4096, .net_sent_bytes = 64};
    return 0;
}

static int sim_watch_fd(void *state)
{
    struct sim *sim = state;
    CLEANUP_FREE char *folder = xasprintf("%s/domains", sim->folder);
    if (sim->watch < 0) {
        sim->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (sim->watch >= 0)
            inotify_add_watch(sim->watch, folder, IN_MOVED_TO | IN_DELETE | IN_CLOSE_WRITE);
    }
    return sim->watch;
}

static int sim_watch_read(void *state, struct err *err)
{
    struct sim *sim = state;
    char events[4096];
    (void)err;
    while (read(sim->watch, events, sizeof(events)) > 0)
        ;
    return 0;
}

bool sim_volume_busy(struct sim *sim, const char *name)
{
    const char *dash = strchr(name, '-');
    if (strncmp(name, "data-", 5) == 0)
        return sim_disk_in_use(sim, name);
    if (!dash || (strncmp(name, "slice-", 6) != 0 && strncmp(name, "seed-", 5) != 0))
        return false;
    CLEANUP_FREE char *path = sim_domain_path(sim, dash + 1);
    return access(path, F_OK) == 0;
}

void sim_hypervisor(struct sim *sim, struct hypervisor *hypervisor)
{
    *hypervisor = (struct hypervisor){.state = sim,
                                      .host = sim_host,
                                      .prefer_host = sim_prefer_host,
                                      .reboot = sim_reboot,
                                      .domain_start = sim_start,
                                      .domain_shutdown = sim_shutdown,
                                      .domain_destroy = sim_destroy,
                                      .domain_pause = sim_pause,
                                      .domain_unpause = sim_unpause,
                                      .domain_set_vcpus = sim_set_vcpus,
                                      .domain_set_memory = sim_set_memory,
                                      .domain_save = sim_save_memory,
                                      .domain_resume = sim_resume,
                                      .domain_restore = sim_restore,
                                      .domain_run = sim_run,
                                      .domain_list = sim_list,
                                      .domain_find = sim_find,
                                      .counters = sim_counters,
                                      .disk_plug = sim_disk_plug,
                                      .disk_unplug = sim_disk_unplug,
                                      .disk_grow = sim_disk_grow,
                                      .watch_fd = sim_watch_fd,
                                      .console_tty = sim_console_tty,
                                      .watch_read = sim_watch_read};
}
