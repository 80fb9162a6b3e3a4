#include "hotplug/block.h"

#include "base/err.h"
#include "base/memory.h"
#include "hotplug/entry.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define LOOP_PATH_BYTES 32
/* Each time somebody else has taken the free device meanwhile. After so many the slice does not
 * start, and its error says why. */
#define LOOP_TRIES 16

/* What blkback and libxl wait for. */
static int connect_device(const struct hotplug *hotplug, const char *path, struct err *err)
{
    char number[32];
    struct stat status;

    if (stat(path, &status) < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot find %s", path);
    if (!S_ISBLK(status.st_mode))
        return err_set(err, ERR_STORAGE_ERROR, "%s is not a block device", path);
    snprintf(number, sizeof(number), "%x:%x", major(status.st_rdev), minor(status.st_rdev));
    if (hotplug_write(hotplug, "physical-device-path", path, err) < 0 ||
        hotplug_write(hotplug, "physical-device", number, err) < 0)
        return -1;
    return hotplug_write(hotplug, "hotplug-status", "connected", err);
}

/* Takes a free loop device for the file: 1, or 0 when another was faster. */
static int try_loop(int file, bool read_only, char path[static LOOP_PATH_BYTES], struct err *err)
{
    struct loop_config config = {.fd = (unsigned)file};
    CLEANUP_CLOSE int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    int number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);

    if (number < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot find a free loop device");
    snprintf(path, LOOP_PATH_BYTES, "/dev/loop%d", number);
    CLEANUP_CLOSE int device = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (device < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot open %s", path);
    config.info.lo_flags = read_only ? LO_FLAGS_READ_ONLY : 0;
    if (ioctl(device, LOOP_CONFIGURE, &config) == 0)
        return 1;
    if (errno == EBUSY)
        return 0;
    return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot set up %s", path);
}

static int connect_file(const struct hotplug *hotplug, const char *path, struct err *err)
{
    char loop[LOOP_PATH_BYTES];
    CLEANUP_FREE char *mode = hotplug_need(hotplug, "mode", err);
    int got = 0;

    if (!mode)
        return -1;
    bool read_only = !strchr(mode, 'w');
    CLEANUP_CLOSE int file = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (file < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot open %s", path);
    for (int i = 0; i < LOOP_TRIES && got == 0; i++)
        got = try_loop(file, read_only, loop, err);
    if (got < 0)
        return -1;
    if (got == 0)
        return err_set(err, ERR_STORAGE_ERROR, "no free loop device for %s", path);
    /* Known to xenstore before anything else can fail, so that removing finds it. */
    if (hotplug_write(hotplug, "node", loop, err) < 0)
        return -1;
    return connect_device(hotplug, loop, err);
}

static int disconnect(const struct hotplug *hotplug, struct err *err)
{
    CLEANUP_FREE char *loop = hotplug_read(hotplug, "node");

    if (!loop)
        return 0;
    CLEANUP_CLOSE int device = open(loop, O_RDONLY | O_CLOEXEC);
    if (device < 0 || (ioctl(device, LOOP_CLR_FD) < 0 && errno != ENXIO))
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot release %s", loop);
    return 0;
}

int hotplug_block(const struct hotplug *hotplug, bool add, struct err *err)
{
    struct stat status;

    if (!add)
        return disconnect(hotplug, err);
    CLEANUP_FREE char *done = hotplug_read(hotplug, "physical-device");
    if (done)
        return 0;
    CLEANUP_FREE char *path = hotplug_need(hotplug, "params", err);
    if (!path)
        return -1;
    if (stat(path, &status) < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot find %s", path);
    return S_ISREG(status.st_mode) ? connect_file(hotplug, path, err)
                                   : connect_device(hotplug, path, err);
}
