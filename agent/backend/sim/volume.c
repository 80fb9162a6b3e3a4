/* The simulated thin pool: a volume is a sparse file, its size what it was activated with. */
#include "backend/sim/volume.h"

#include "backend/backend.h"
#include "backend/sim/domain.h"
#include "backend/sim/folder.h"
#include "backend/sim/metadata.h"
#include "backend/sim/moment.h"
#include "base/err.h"
#include "base/memory.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define POOL_MIB_USUAL (100 * 1024)
#define METADATA_BYTES (64 * MIB)
#define COPY_BYTES (1u << 16)

static char *volume_path(struct sim *sim, uint32_t thin_id)
{
    return xasprintf("%s/volumes/%u", sim->folder, thin_id);
}

static char *active_path(struct sim *sim, const char *name)
{
    return xasprintf("%s/active/%s", sim->folder, name);
}

static int sim_usage(void *state, struct pool_usage *usage, struct err *err)
{
    struct sim *sim = state;
    CLEANUP_FREE char *folder = xasprintf("%s/volumes", sim->folder);
    DIR *open_folder = opendir(folder);
    struct dirent *entry;
    struct stat status;
    if (!open_folder)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot list %s", folder);
    memset(usage, 0, sizeof(*usage));
    while ((entry = readdir(open_folder))) {
        CLEANUP_FREE char *path = xasprintf("%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.' && stat(path, &status) == 0)
            usage->data_used_bytes += (uint64_t)status.st_blocks * 512;
    }
    closedir(open_folder);
    usage->data_total_bytes = (uint64_t)sim_number(sim, "pool_mib", POOL_MIB_USUAL) * MIB;
    usage->data_used_bytes += (uint64_t)sim_number(sim, "data_used_mib", 0) * MIB;
    json_int_t data_percent = sim_number(sim, "data_used_percent", -1);
    if (data_percent >= 0)
        usage->data_used_bytes = usage->data_total_bytes / 100 * (uint64_t)data_percent;
    usage->metadata_total_bytes = METADATA_BYTES;
    usage->metadata_used_bytes =
        METADATA_BYTES / 100 * (uint64_t)sim_number(sim, "metadata_percent", 1);
    usage->block_bytes = 64 << 10;
    usage->out_of_space = sim_flag(sim, "out_of_space", false);
    usage->read_only = sim_flag(sim, "read_only", false);
    return 0;
}

static int sim_create(void *state, uint32_t thin_id, struct err *err)
{
    CLEANUP_FREE char *path = volume_path(state, thin_id);
    if (sim_enter(state, "create", err) < 0)
        return -1;
    CLEANUP_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, errno == EEXIST ? ERR_VOLUME_EXISTS : ERR_STORAGE_ERROR, errno,
                         "cannot create volume %u", thin_id);
    sim_leave(state);
    return 0;
}

/* Copies data and leaves holes where there are holes. */
static int copy_sparse(int from, int to)
{
    CLEANUP_FREE char *buffer = xcalloc(1, COPY_BYTES);
    struct stat status;
    if (fstat(from, &status) < 0 || ftruncate(to, status.st_size) < 0)
        return -1;
    off_t place = 0;
    while ((place = lseek(from, place, SEEK_DATA)) >= 0) {
        off_t hole = lseek(from, place, SEEK_HOLE);
        while (place < hole) {
            size_t wanted = hole - place < (off_t)COPY_BYTES ? (size_t)(hole - place) : COPY_BYTES;
            ssize_t got = pread(from, buffer, wanted, place);
            if (got <= 0 || pwrite(to, buffer, (size_t)got, place) != got)
                return -1;
            place += got;
        }
    }
    return errno == ENXIO ? 0 : -1;
}

static int sim_snapshot(void *state, uint32_t origin_id, const char *origin_name, uint32_t thin_id,
                        uint64_t *mapped, struct err *err)
{
    CLEANUP_FREE char *origin = volume_path(state, origin_id);
    CLEANUP_FREE char *path = volume_path(state, thin_id);
    CLEANUP_FREE char *part = xasprintf("%s/part-%u", ((struct sim *)state)->folder, thin_id);
    struct stat status;
    if (mapped)
        *mapped = 0;
    if (sim_enter(state, "snapshot", err) < 0)
        return -1;
    if (access(path, F_OK) == 0)
        return err_set(err, ERR_VOLUME_EXISTS, "there is a volume %u", thin_id);
    CLEANUP_CLOSE int from = open(origin, O_RDONLY | O_CLOEXEC);
    CLEANUP_CLOSE int to = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (from < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "there is no volume %u", origin_id);
    if (to < 0 || copy_sparse(from, to) < 0 || rename(part, path) < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot copy volume %u", origin_id);
    if (origin_name && mapped && fstat(to, &status) == 0)
        *mapped = (uint64_t)status.st_blocks * 512;
    sim_leave(state);
    return 0;
}

static int by_number(const void *left, const void *right)
{
    const uint32_t *one = left, *other = right;
    return *one < *other ? -1 : *one > *other;
}

static int sim_list(void *state, uint32_t **thin_ids, size_t *count, struct err *err)
{
    struct sim *sim = state;
    CLEANUP_FREE char *folder = xasprintf("%s/volumes", sim->folder);
    struct dirent *entry;
    if (sim_flag(sim, "list_fails", false))
        return err_set(err, ERR_STORAGE_ERROR, "the pool's metadata cannot be read");
    DIR *open_folder = opendir(folder);
    if (!open_folder)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot list %s", folder);
    *thin_ids = NULL;
    *count = 0;
    while ((entry = readdir(open_folder))) {
        if (entry->d_name[0] == '.')
            continue;
        *thin_ids = xrealloc(*thin_ids, (*count + 1) * sizeof(**thin_ids));
        (*thin_ids)[(*count)++] = (uint32_t)strtoul(entry->d_name, NULL, 10);
    }
    closedir(open_folder);
    if (*count > 0)
        qsort(*thin_ids, *count, sizeof(**thin_ids), by_number);
    return 0;
}

/* As device mapper does, refuses to remove what is active. */
static bool is_active(struct sim *sim, uint32_t thin_id)
{
    CLEANUP_FREE char *folder = xasprintf("%s/active", sim->folder);
    CLEANUP_FREE char *wanted = volume_path(sim, thin_id);
    DIR *open_folder = opendir(folder);
    struct dirent *entry;
    bool found = false;
    while (open_folder && !found && (entry = readdir(open_folder))) {
        CLEANUP_FREE char *link = active_path(sim, entry->d_name);
        char target[4096];
        ssize_t length = readlink(link, target, sizeof(target) - 1);
        if (length > 0) {
            target[length] = '\0';
            found = strcmp(target, wanted) == 0;
        }
    }
    if (open_folder)
        closedir(open_folder);
    return found;
}

static int sim_remove(void *state, uint32_t thin_id, struct err *err)
{
    CLEANUP_FREE char *path = volume_path(state, thin_id);
    if (sim_enter(state, "remove", err) < 0)
        return -1;
    if (is_active(state, thin_id))
        return err_set(err, ERR_STORAGE_ERROR, "volume %u is active", thin_id);
    if (unlink(path) < 0 && errno != ENOENT)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot remove volume %u", thin_id);
    sim_leave(state);
    return 0;
}

static int sim_activate(void *state, const char *name, uint32_t thin_id, uint64_t size_bytes,
                        bool read_only, char path[static VOLUME_PATH_BYTES], struct err *err)
{
    CLEANUP_FREE char *volume = volume_path(state, thin_id);
    CLEANUP_FREE char *link = active_path(state, name);
    struct stat status;
    char target[4096];
    (void)read_only;
    if (sim_enter(state, "activate", err) < 0)
        return -1;
    if (stat(volume, &status) < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "there is no volume %u", thin_id);
    if ((uint64_t)status.st_size < size_bytes && truncate(volume, (off_t)size_bytes) < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot grow volume %u", thin_id);
    ssize_t length = readlink(link, target, sizeof(target) - 1);
    target[length > 0 ? length : 0] = '\0';
    if (length > 0 && strcmp(target, volume) != 0)
        return err_set(err, ERR_STORAGE_ERROR, "%s is active with another volume", name);
    if (length <= 0 && symlink(volume, link) < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot activate %s", name);
    if (!copy_text(path, VOLUME_PATH_BYTES, link))
        return err_set(err, ERR_INTERNAL, "the simulation's folder has too long a name");
    sim_leave(state);
    return 0;
}

static int sim_deactivate(void *state, const char *name, struct err *err)
{
    CLEANUP_FREE char *link = active_path(state, name);
    if (sim_enter(state, "deactivate", err) < 0)
        return -1;
    if (sim_volume_busy(state, name))
        return err_set(err, ERR_STORAGE_ERROR, "%s is in use by its slice", name);
    if (unlink(link) < 0 && errno != ENOENT)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot deactivate %s", name);
    sim_leave(state);
    return 0;
}

static int sim_mapped(void *state, const char *name, uint64_t *bytes, struct err *err)
{
    CLEANUP_FREE char *link = active_path(state, name);
    struct stat status;
    if (stat(link, &status) < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "%s is not active", name);
    *bytes = (uint64_t)status.st_blocks * 512;
    return 0;
}

void sim_storage(struct sim *sim, struct storage *storage)
{
    *storage = (struct storage){.state = sim,
                                .usage = sim_usage,
                                .create = sim_create,
                                .list = sim_list,
                                .snapshot = sim_snapshot,
                                .remove = sim_remove,
                                .activate = sim_activate,
                                .deactivate = sim_deactivate,
                                .mapped = sim_mapped,
                                .metadata_open = sim_metadata_open,
                                .metadata_close = sim_metadata_close};
}
