/* The simulated memory of a slice: a text in its domain's file. */
#include "backend/sim/memory.h"

#include "backend/backend.h"
#include "backend/sim/disk.h"
#include "backend/sim/folder.h"
#include "backend/sim/moment.h"
#include "base/err.h"
#include "base/file.h"
#include "base/memory.h"
#include "capacity/admit.h"
#include "codec/memory_stream.h"
#include "model/size.h"
#include "model/slice.h"
#include "model/snapshot.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MEMORY_BYTES_MAX 65536

static bool is_suspended(const json_t *domain)
{
    const char *state = json_string_value(json_object_get(domain, "state"));
    const char *reason = json_string_value(json_object_get(domain, "reason"));
    return state && reason && strcmp(state, "shutdown") == 0 && strcmp(reason, "suspend") == 0;
}

/* Changes the state of a slice's domain, which is there. */
static int set_state(struct sim *sim, const char *slice, const char *state, const char *reason,
                     struct err *err)
{
    CLEANUP_FREE char *path = sim_domain_path(sim, slice);
    int lock = sim_lock(sim);
    json_t *domain = sim_load(path);
    int result = 0;
    if (domain) {
        json_object_set_new(domain, "state", json_string(state));
        json_object_set_new(domain, "reason", json_string(reason));
        result = sim_save(path, domain, err);
    }
    json_decref(domain);
    close(lock);
    return result;
}

static int write_memory(const json_t *domain, const char *path, struct memory_mark *mark,
                        struct err *err)
{
    const char *memory = json_string_value(json_object_get(domain, "memory"));
    int fd;
    struct memory_stream *stream = memory_stream_write(path, &fd, err);
    if (!stream)
        return -1;
    (void)!write(fd, memory ? memory : "fresh", strlen(memory ? memory : "fresh"));
    return memory_stream_end(stream, mark, err);
}

static int save_running(struct sim *sim, const char *slice, const json_t *domain, const char *path,
                        struct memory_mark *mark, struct err *err)
{
    const char *state = json_string_value(json_object_get(domain, "state"));
    if (!state || (strcmp(state, "running") != 0 && !is_suspended(domain)))
        return err_set(err, ERR_SLICE_STATE, "slice %s has no running domain", slice);
    if (sim_flag(sim, "ignore_suspend", false))
        return err_set(err, ERR_TIMEOUT, "slice %s did not suspend when it was asked to", slice);
    if (set_state(sim, slice, "shutdown", "suspend", err) < 0)
        return -1;
    if (sim_enter(sim, "memory_write", err) == 0 && write_memory(domain, path, mark, err) == 0)
        return 0;
    set_state(sim, slice, "running", "none", NULL);
    return -1;
}

int sim_save_memory(void *state, const char *slice, const char *path, struct memory_mark *mark,
                    struct err *err)
{
    CLEANUP_FREE char *file = sim_domain_path(state, slice);
    if (sim_enter(state, "domain_save", err) < 0)
        return -1;
    json_t *domain = sim_load(file);
    int result = save_running(state, slice, domain, path, mark, err);
    json_decref(domain);
    if (result == 0)
        sim_leave(state);
    return result;
}

int sim_resume(void *state, const char *slice, struct err *err)
{
    CLEANUP_FREE char *path = sim_domain_path(state, slice);
    if (sim_enter(state, "domain_resume", err) < 0)
        return -1;
    json_t *domain = sim_load(path);
    int result = is_suspended(domain) ? set_state(state, slice, "running", "none", err) : 0;
    json_decref(domain);
    if (result == 0)
        sim_leave(state);
    return result;
}

static int read_memory(const char *path, const struct memory_mark *mark, char **text,
                       struct err *err)
{
    int fd;
    struct memory_stream *stream = memory_stream_read(path, mark, &fd, err);
    if (!stream)
        return -1;
    *text = xcalloc(1, MEMORY_BYTES_MAX + 1);
    (void)read_full(fd, *text, MEMORY_BYTES_MAX);
    return memory_stream_end(stream, NULL, err);
}

static int build(struct sim *sim, const struct domain_config *config, const char *memory,
                 struct err *err)
{
    CLEANUP_FREE char *path = sim_domain_path(sim, config->slice->id);
    const struct domain_size size = slice_size(config->slice);
    if (access(config->disk_path, R_OK) < 0 || access(config->seed_path, R_OK) < 0)
        return err_errno(err, ERR_HYPERVISOR_ERROR, errno, "a disk of slice %s is not there",
                         config->slice->id);
    json_t *disks = sim_disks(config, err);
    if (!disks)
        return -1;
    int lock = sim_lock(sim);
    json_t *domain = json_pack(
        "{s:i, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s, s:b, s:o}", "domain_id",
        sim_next_domain(sim), "state", "paused", "reason", "none", "memory_mib",
        (json_int_t)admit_domain_memory_mib(&size), "vcpus", (json_int_t)size.vcpus, "max_vcpus",
        (json_int_t)size.max_vcpus, "given_mib", (json_int_t)size.memory_mib, "max_given_mib",
        (json_int_t)size.max_memory_mib, "memory", memory, "restored", 1, "disks", disks);
    int result = sim_save(path, domain, err);
    json_decref(domain);
    close(lock);
    return result;
}

int sim_restore(void *state, const struct domain_config *config, const char *path,
                const struct memory_mark *mark, struct err *err)
{
    CLEANUP_FREE char *memory = NULL;
    if (sim_enter(state, "domain_restore", err) < 0 || read_memory(path, mark, &memory, err) < 0 ||
        build(state, config, memory, err) < 0)
        return -1;
    sim_leave(state);
    return 0;
}

int sim_run(void *state, const char *slice, int *domain_id, struct err *err)
{
    CLEANUP_FREE char *path = sim_domain_path(state, slice);
    if (sim_enter(state, "domain_run", err) < 0)
        return -1;
    int lock = sim_lock(state), result = 0;
    json_t *domain = sim_load(path);
    json_t *id = json_object_get(domain, "domain_id");
    *domain_id = id ? (int)json_integer_value(id) : -1;
    if (json_object_get(domain, "restored")) {
        json_object_del(domain, "restored");
        json_object_set_new(domain, "state", json_string("running"));
        result = sim_save(path, domain, err);
    }
    json_decref(domain);
    close(lock);
    if (result == 0)
        sim_leave(state);
    return result;
}
