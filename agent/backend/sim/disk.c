/* The data disks of simulated domains. */
#include "backend/sim/disk.h"

#include "backend/backend.h"
#include "backend/sim/folder.h"
#include "backend/sim/moment.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static json_t *disk_json(const struct domain_disk *disk, struct err *err)
{
    const char *slash = strrchr(disk->path, '/');
    struct stat status;
    if (stat(disk->path, &status) < 0) {
        err_errno(err, ERR_HYPERVISOR_ERROR, errno, "the disk %s is not there", disk->path);
        return NULL;
    }
    return json_pack("{s:s, s:I}", "volume", slash ? slash + 1 : disk->path, "bytes",
                     (json_int_t)status.st_size);
}

json_t *sim_disks(const struct domain_config *config, struct err *err)
{
    json_t *disks = json_object();
    for (size_t i = 0; i < config->disk_count; i++) {
        json_t *disk = disk_json(&config->disks[i], err);
        if (!disk) {
            json_decref(disks);
            return NULL;
        }
        json_object_set_new(disks, config->disks[i].device, disk);
    }
    return disks;
}

static bool holds(const json_t *domain, const char *volume)
{
    const char *device;
    json_t *disk;
    json_object_foreach(json_object_get(domain, "disks"), device, disk)
    {
        const char *name = json_string_value(json_object_get(disk, "volume"));
        if (name && strcmp(name, volume) == 0)
            return true;
    }
    return false;
}

bool sim_disk_in_use(struct sim *sim, const char *volume)
{
    CLEANUP_FREE char *folder = xasprintf("%s/domains", sim->folder);
    DIR *open_folder = opendir(folder);
    struct dirent *entry;
    bool found = false;
    while (open_folder && !found && (entry = readdir(open_folder))) {
        /* What a killed worker had not yet renamed to its place is no domain. */
        if (!uuid_valid(entry->d_name))
            continue;
        CLEANUP_FREE char *path = sim_domain_path(sim, entry->d_name);
        json_t *domain = sim_load(path);
        found = holds(domain, volume);
        json_decref(domain);
    }
    if (open_folder)
        closedir(open_folder);
    return found;
}

/* The domain of a slice that runs; NULL when there is none. */
static json_t *load_running(const char *path)
{
    json_t *domain = sim_load(path);
    const char *word = json_string_value(json_object_get(domain, "state"));
    if (word && strcmp(word, "shutdown") != 0)
        return domain;
    json_decref(domain);
    return NULL;
}

static int plug_locked(struct sim *sim, const char *slice, const struct domain_disk *disk,
                       struct err *err)
{
    CLEANUP_FREE char *path = sim_domain_path(sim, slice);
    json_t *wanted = disk_json(disk, err), *domain;
    if (!wanted)
        return -1;
    domain = load_running(path);
    json_t *disks = json_object_get(domain, "disks");
    json_t *present = json_object_get(disks, disk->device);
    int result = 0;
    if (present && strcmp(json_string_value(json_object_get(present, "volume")),
                          json_string_value(json_object_get(wanted, "volume"))) != 0) {
        result = err_set(err, ERR_HYPERVISOR_ERROR, "slice %s has another disk as %s", slice,
                         disk->device);
    } else if (domain) {
        json_object_set(disks, disk->device, wanted);
        result = sim_save(path, domain, err);
    }
    json_decref(wanted);
    json_decref(domain);
    return result;
}

int sim_disk_plug(void *state, const char *slice, const struct domain_disk *disk, struct err *err)
{
    if (sim_enter(state, "disk_plug", err) < 0)
        return -1;
    int lock = sim_lock(state);
    int result = plug_locked(state, slice, disk, err);
    close(lock);
    sim_leave(state);
    return result;
}

static int unplug_locked(struct sim *sim, const char *slice, const char *device, bool force,
                         struct err *err)
{
    CLEANUP_FREE char *path = sim_domain_path(sim, slice);
    bool ignores = sim_flag(sim, "ignore_unplug", false) && !force;
    json_t *domain = sim_load(path);
    json_t *disks = json_object_get(domain, "disks");
    int result = 0;
    if (json_object_get(disks, device) && ignores) {
        result = err_set(err, ERR_VOLUME_BUSY, "slice %s does not release %s", slice, device);
    } else if (domain) {
        json_object_del(disks, device);
        result = sim_save(path, domain, err);
    }
    json_decref(domain);
    return result;
}

int sim_disk_unplug(void *state, const char *slice, const char *device, bool force, struct err *err)
{
    if (sim_enter(state, "disk_unplug", err) < 0)
        return -1;
    int lock = sim_lock(state);
    int result = unplug_locked(state, slice, device, force, err);
    close(lock);
    sim_leave(state);
    return result;
}

int sim_disk_grow(void *state, const char *slice, const char *device, uint64_t bytes,
                  struct err *err)
{
    CLEANUP_FREE char *path = sim_domain_path(state, slice);
    if (sim_enter(state, "disk_grow", err) < 0)
        return -1;
    int lock = sim_lock(state), result = 0;
    json_t *domain = load_running(path);
    json_t *disk = json_object_get(json_object_get(domain, "disks"), device);
    if (disk) {
        json_object_set_new(disk, "bytes", json_integer((json_int_t)bytes));
        result = sim_save(path, domain, err);
    }
    json_decref(domain);
    close(lock);
    sim_leave(state);
    return result;
}
