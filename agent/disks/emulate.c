#include "disks/emulate.h"
#include "base/memory.h"

#include <errno.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <string.h>

#define SECTOR_BYTES 512

static char *mapped_name(const struct disk *disk)
{
    char *name = xasprintf("disk512-%s", disk->name);

    for (char *at = name; (at = strchr(at, '/'));)
        *at = '!';
    return name;
}

static bool is_emulated(const struct disk *disk)
{
    return disk->sector_bytes > SECTOR_BYTES;
}

char *emulate_path(const char *dev, const struct disk *disk)
{
    CLEANUP_FREE char *name = mapped_name(disk);

    return is_emulated(disk) ? xasprintf("%s/mapper/%s", dev, name)
                             : xasprintf("%s/%s", dev, disk->name);
}

static bool exists(const char *name)
{
    struct dm_task *task = dm_task_create(DM_DEVICE_INFO);
    struct dm_info info;
    bool there = task && dm_task_set_name(task, name) && dm_task_run(task) &&
                 dm_task_get_info(task, &info) && info.exists;

    if (task)
        dm_task_destroy(task);
    return there;
}

static int create(const char *name, uint64_t sectors, const char *parameters, struct err *err)
{
    struct dm_task *task = dm_task_create(DM_DEVICE_CREATE);
    bool made = task && dm_task_set_name(task, name) &&
                dm_task_add_target(task, 0, sectors, "ebs", parameters) && dm_task_run(task);
    int reason = task ? dm_task_get_errno(task) : ENOMEM;

    if (task)
        dm_task_destroy(task);
    dm_task_update_nodes();
    return made ? 0 : err_errno(err, ERR_STORAGE_ERROR, reason, "sectors of 512 bytes on it");
}

int emulate_sectors(const char *dev, const struct disk *disk, struct err *err)
{
    CLEANUP_FREE char *name = mapped_name(disk);
    /* Device, offset, emulated and real size of a block, in sectors of 512 bytes. */
    CLEANUP_FREE char *parameters =
        xasprintf("%s/%s 0 1 %u", dev, disk->name, disk->sector_bytes / SECTOR_BYTES);

    if (!is_emulated(disk) || exists(name))
        return 0;
    return create(name, disk->size_bytes / SECTOR_BYTES, parameters, err);
}
