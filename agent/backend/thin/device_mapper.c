#include "backend/thin/device_mapper.h"

#include "base/err.h"
#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <libdevmapper.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#define CLEANUP_TASK __attribute__((cleanup(cleanup_task)))

/* The library's last complaint, for the message of the call that failed. */
static char last_error[256];

static void cleanup_task(struct dm_task **task)
{
    int saved_errno = errno; /* callers look at the kernel's answer after this */

    if (*task)
        dm_task_destroy(*task);
    /* Gives back the control descriptor that the library keeps for the whole process: a worker
     * closes what it inherits, and would be left with a number that means something else. */
    dm_lib_release();
    errno = saved_errno;
}

__attribute__((format(printf, 5, 6))) static void
library_says(int level, const char *file, int line, int error_number, const char *format, ...)
{
    char text[sizeof(last_error)];
    va_list arguments;

    (void)file;
    (void)line;
    (void)error_number;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if ((level & 7) > LOG_WARNING)
        return;
    log_debug("device mapper: %s", text);
    copy_text(last_error, sizeof(last_error), text);
}

void mapper_prepare(void)
{
    dm_log_with_errno_init(library_says);
    dm_udev_set_sync_support(0);
    dm_udev_set_checking(0);
    /* With udev absent the library makes the nodes; it must not wait for what is not there. */
    dm_set_sysfs_dir("/sys");
}

static struct dm_task *task_new(int type, const char *name, struct err *err)
{
    struct dm_task *task = dm_task_create(type);

    last_error[0] = '\0';
    if (task && dm_task_set_name(task, name))
        return task;
    if (task)
        dm_task_destroy(task);
    err_set(err, ERR_STORAGE_ERROR, "device mapper: %s",
            last_error[0] ? last_error : "cannot make a request");
    return NULL;
}

/* 0, or -1 with errno from the kernel. */
static int task_run(struct dm_task *task, const char *what, const char *name, struct err *err)
{
    if (dm_task_run(task))
        return 0;
    int error_number = dm_task_get_errno(task);
    if (error_number == 0)
        error_number = EIO;
    err_errno(err, error_number == ENOSPC ? ERR_POOL_FULL : ERR_STORAGE_ERROR, error_number,
              "cannot %s %s", what, name);
    errno = error_number;
    return -1;
}

static int simple(int type, const char *what, const char *name, struct err *err)
{
    CLEANUP_TASK struct dm_task *task = task_new(type, name, err);

    if (!task || task_run(task, what, name, err) < 0)
        return -1;
    dm_task_update_nodes();
    return 0;
}

static void read_target(struct dm_task *task, struct mapper_device *device)
{
    uint64_t start, length;
    char *target = NULL, *params = NULL;

    if (dm_get_next_target(task, NULL, &start, &length, &target, &params) || !target)
        return;
    if (!copy_text(device->target, sizeof(device->target), target) ||
        !copy_text(device->params, sizeof(device->params), params ? params : ""))
        device->target[0] = '\0';
    device->sectors = length;
}

static int query(int type, const char *name, struct mapper_device *device, struct err *err)
{
    CLEANUP_TASK struct dm_task *task = task_new(type, name, err);
    struct dm_info info;

    memset(device, 0, sizeof(*device));
    if (!task)
        return -1;
    /* Else the pool writes its metadata each time that it is asked how full it is. */
    dm_task_no_flush(task);
    if (!dm_task_run(task)) {
        if (dm_task_get_errno(task) == ENXIO)
            return 0;
        return err_errno(err, ERR_STORAGE_ERROR, dm_task_get_errno(task), "cannot query %s", name);
    }
    if (!dm_task_get_info(task, &info))
        return err_set(err, ERR_STORAGE_ERROR, "cannot query %s: %s", name, last_error);
    if (!info.exists)
        return 0;
    device->exists = true;
    device->suspended = info.suspended;
    device->read_only = info.read_only;
    device->open_count = (unsigned)info.open_count;
    device->major = info.major;
    device->minor = info.minor;
    read_target(task, device);
    return 0;
}

int mapper_inspect(const char *name, struct mapper_device *device, struct err *err)
{
    return query(DM_DEVICE_TABLE, name, device, err);
}

int mapper_status(const char *name, struct mapper_device *device, struct err *err)
{
    return query(DM_DEVICE_STATUS, name, device, err);
}

int mapper_message(const char *name, const char *message, struct err *err)
{
    CLEANUP_TASK struct dm_task *task = task_new(DM_DEVICE_TARGET_MSG, name, err);
    char what[128];

    if (!task || !dm_task_set_sector(task, 0) || !dm_task_set_message(task, message))
        return task ? err_set(err, ERR_STORAGE_ERROR, "device mapper: %s", last_error) : -1;
    snprintf(what, sizeof(what), "%s in the pool", message);
    return task_run(task, what, name, err);
}

static int task_table(struct dm_task *task, const struct mapper_table *table, struct err *err)
{
    if (dm_task_add_target(task, 0, table->sectors, table->target, table->params) &&
        (!table->read_only || dm_task_set_ro(task)))
        return 0;
    return err_set(err, ERR_STORAGE_ERROR, "device mapper: %s", last_error);
}

int mapper_create(const char *name, const struct mapper_table *table, struct err *err)
{
    CLEANUP_TASK struct dm_task *task = task_new(DM_DEVICE_CREATE, name, err);

    if (!task || task_table(task, table, err) < 0)
        return -1;
    /* CREATE with a table is three requests: create, load, resume. The library takes the device
     * away again when the second or third fails. */
    if (!dm_task_set_add_node(task, DM_ADD_NODE_ON_RESUME) ||
        task_run(task, "activate", name, err) < 0)
        return -1;
    dm_task_update_nodes();
    return 0;
}

int mapper_reload(const char *name, const struct mapper_table *table, struct err *err)
{
    CLEANUP_TASK struct dm_task *task = task_new(DM_DEVICE_RELOAD, name, err);

    if (!task || task_table(task, table, err) < 0)
        return -1;
    return task_run(task, "load the table of", name, err);
}

int mapper_suspend(const char *name, struct err *err)
{
    CLEANUP_TASK struct dm_task *task = task_new(DM_DEVICE_SUSPEND, name, err);

    /* No file system of a slice is mounted here that could be frozen. */
    if (!task || !dm_task_skip_lockfs(task))
        return -1;
    return task_run(task, "suspend", name, err);
}

int mapper_resume(const char *name, struct err *err)
{
    return simple(DM_DEVICE_RESUME, "resume", name, err);
}

int mapper_remove(const char *name, struct err *err)
{
    return simple(DM_DEVICE_REMOVE, "deactivate", name, err);
}

int mapper_make_node(const char *name, struct err *err)
{
    return simple(DM_DEVICE_MKNODES, "make the node of", name, err);
}
