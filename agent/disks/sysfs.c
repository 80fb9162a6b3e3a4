#include "disks/sysfs.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define VALUE_BYTES 4096

/* What stands in /sys/block and is no disk of the machine's, or one that is never for slices. */
static const char *const not_disks[] = {"loop", "ram",  "dm-",  "sr",   "fd",
                                        "nbd",  "md",   "zram", "drbd", "mtdblock",
                                        "zd",   "pmem", "rbd",  "ublk", "bcache"};

/* "" when there is no such file, or when it cannot be read: some are only there for some drives. */
static size_t read_value(const struct disk_folders *folders, const char *name, const char *file,
                         char value[static VALUE_BYTES])
{
    CLEANUP_FREE char *path = xasprintf("%s/block/%s/%s", folders->sys, name, file);
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    long length = fd < 0 ? -1 : read_full(fd, value, VALUE_BYTES - 1);

    if (length < 0)
        length = 0;
    value[length] = '\0';
    return (size_t)length;
}

static uint64_t read_number(const struct disk_folders *folders, const char *name, const char *file)
{
    char value[VALUE_BYTES];

    read_value(folders, name, file, value);
    return strtoull(value, NULL, 10);
}

static bool read_flag(const struct disk_folders *folders, const char *name, const char *file)
{
    return read_number(folders, name, file) != 0;
}

/* Copies what a drive says of itself, fit for a line of the screen: printable, no blanks around,
 * one blank where it has many. */
static void hardware_text(char to[static DISK_TEXT_BYTES], const char *from, size_t length)
{
    size_t used = 0;

    for (size_t i = 0; i < length && used < DISK_TEXT_BYTES - 1; i++) {
        unsigned char byte = (unsigned char)from[i];
        if (byte == '\n' && used > 0)
            break;
        if (byte <= ' ' || byte > '~') {
            if ((byte == ' ' || byte == '\t') && used > 0 && to[used - 1] != ' ')
                to[used++] = ' ';
            continue;
        }
        to[used++] = (char)byte;
    }
    while (used > 0 && to[used - 1] == ' ')
        used--;
    to[used] = '\0';
}

static bool read_text(const struct disk_folders *folders, const char *name, const char *file,
                      char to[static DISK_TEXT_BYTES])
{
    char value[VALUE_BYTES];

    hardware_text(to, value, read_value(folders, name, file, value));
    return to[0] != '\0';
}

/* The folder of the disk's device, without links; NULL when there is none. The caller frees it. */
static char *device_folder(const struct disk_folders *folders, const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/block/%s/device", folders->sys, name);

    return realpath(path, NULL);
}

/* The serial number of the USB device that the disk is on: the kernel asks such disks for no
 * other. */
static bool read_usb_serial(const struct disk_folders *folders, struct disk *disk, const char *name)
{
    CLEANUP_FREE char *folder = device_folder(folders, name);
    char value[VALUE_BYTES], *slash;

    if (!folder || !strstr(folder, "/usb"))
        return false;
    while ((slash = strrchr(folder, '/')) && slash != folder) {
        CLEANUP_FREE char *vendor = xasprintf("%s/idVendor", folder);
        CLEANUP_FREE char *serial = xasprintf("%s/serial", folder);
        if (access(vendor, F_OK) == 0) {
            CLEANUP_CLOSE int fd = open(serial, O_RDONLY | O_CLOEXEC);
            long length = fd < 0 ? 0 : read_full(fd, value, sizeof(value));
            hardware_text(disk->serial, value, length > 0 ? (size_t)length : 0);
            return disk->serial[0] != '\0';
        }
        *slash = '\0';
    }
    return false;
}

/* SATA and SAS: page 0x80 of the vital product data has a header of 4 bytes before the number. */
static void read_serial(const struct disk_folders *folders, struct disk *disk, const char *name)
{
    static const char *const files[] = {"device/serial", "serial", "wwid", "device/wwid"};
    char page[VALUE_BYTES];
    size_t length = read_value(folders, name, "device/vpd_pg80", page);

    if (length > 4) {
        hardware_text(disk->serial, page + 4, length - 4);
        if (disk->serial[0])
            return;
    }
    if (read_usb_serial(folders, disk, name))
        return;
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++)
        if (read_text(folders, name, files[i], disk->serial))
            return;
}

/* What is the same on each path to the disk and on no other disk: the world-wide name; for a drive
 * without one its model and serial number. */
static void read_identity(const struct disk_folders *folders, struct disk *disk, const char *name)
{
    if (read_text(folders, name, "wwid", disk->identity) ||
        read_text(folders, name, "device/wwid", disk->identity) || !disk->serial[0])
        return;
    snprintf(disk->identity, sizeof(disk->identity), "%.60s/%.60s", disk->model, disk->serial);
}

static bool is_on_usb(const struct disk_folders *folders, const char *name)
{
    CLEANUP_FREE char *device = device_folder(folders, name);
    const char *bus = device ? strstr(device, "/usb") : NULL;

    return bus && isdigit((unsigned char)bus[4]);
}

/* Parts that something else holds, such as a device that the boot itself mapped. */
static bool has_holders(const struct disk_folders *folders, const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/block/%s/holders", folders->sys, name);
    DIR *folder = opendir(path);
    bool found = false;

    if (!folder)
        return false;
    for (struct dirent *entry; !found && (entry = readdir(folder));)
        found = entry->d_name[0] != '.';
    closedir(folder);
    return found;
}

static void read_disk(const struct disk_folders *folders, const char *name, struct disk *disk)
{
    char zones[DISK_TEXT_BYTES];

    memset(disk, 0, sizeof(*disk));
    copy_text(disk->name, sizeof(disk->name), name);
    for (char *at = disk->name; (at = strchr(at, '!'));)
        *at = '/';
    /* In sectors of 512 bytes, whatever the drive's are. */
    disk->size_bytes = read_number(folders, name, "size") * 512;
    disk->sector_bytes = (unsigned)read_number(folders, name, "queue/logical_block_size");
    if (disk->sector_bytes == 0)
        disk->sector_bytes = 512;
    disk->read_only = read_flag(folders, name, "ro");
    disk->removable = read_flag(folders, name, "removable") || is_on_usb(folders, name);
    disk->in_use = has_holders(folders, name);
    disk->sequential =
        read_text(folders, name, "queue/zoned", zones) && strcmp(zones, "host-managed") == 0;
    read_text(folders, name, "device/model", disk->model);
    read_serial(folders, disk, name);
    read_identity(folders, disk, name);
}

static bool is_disk(const struct disk_folders *folders, const char *name)
{
    if (name[0] == '.' || strlen(name) >= DISK_NAME_BYTES)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(not_disks); i++)
        if (strncmp(name, not_disks[i], strlen(not_disks[i])) == 0)
            return false;
    /* The boot areas of an eMMC. */
    if (strncmp(name, "mmcblk", 6) == 0 && strstr(name, "boot"))
        return false;
    /* One path of an NVMe drive with several: the drive itself stands beside it. */
    if (read_flag(folders, name, "hidden"))
        return false;
    /* An empty card reader has no size; a drive that does, but shows none, is no use either. */
    return read_flag(folders, name, "size") || !read_flag(folders, name, "removable");
}

/* Digits by their value: sda before sdb before sdaa, nvme2n1 before nvme10n1. */
static int compare_names(const void *left, const void *right)
{
    const char *a = ((const struct disk *)left)->name, *b = ((const struct disk *)right)->name;

    while (*a && *b) {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            char *a_end, *b_end;
            unsigned long x = strtoul(a, &a_end, 10), y = strtoul(b, &b_end, 10);
            if (x != y)
                return x < y ? -1 : 1;
            a = a_end;
            b = b_end;
        } else if (*a != *b && a == ((const struct disk *)left)->name) {
            return *a < *b ? -1 : 1;
        } else if (*a != *b) {
            size_t a_word = strcspn(a, "0123456789"), b_word = strcspn(b, "0123456789");
            if (a_word != b_word)
                return a_word < b_word ? -1 : 1;
            return *a < *b ? -1 : 1;
        } else {
            a++;
            b++;
        }
    }
    return *a ? 1 : *b ? -1 : 0;
}

unsigned sysfs_disks(const struct disk_folders *folders, struct disk disks[static DISKS_MAX],
                     bool *more)
{
    CLEANUP_FREE char *path = xasprintf("%s/block", folders->sys);
    DIR *folder = opendir(path);
    unsigned count = 0;

    *more = false;
    if (!folder)
        return 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (!is_disk(folders, entry->d_name))
            continue;
        if (count == DISKS_MAX) {
            *more = true;
            break;
        }
        read_disk(folders, entry->d_name, &disks[count++]);
    }
    closedir(folder);
    qsort(disks, count, sizeof(disks[0]), compare_names);
    return count;
}

/* --- The device node -------------------------------------------------------------------------- */

/* /sys/block/NAME/dev has "MAJOR:MINOR". Tests have files instead of devices. */
static bool is_its_node(const struct disk_folders *folders, const struct disk *disk, int fd)
{
    char name[DISK_NAME_BYTES], value[VALUE_BYTES], *colon;
    struct stat status;

    if (fstat(fd, &status) < 0)
        return false;
#ifdef SLICENODE_HOST
    if (S_ISREG(status.st_mode))
        return true;
#endif
    snprintf(name, sizeof(name), "%s", disk->name);
    for (char *at = name; (at = strchr(at, '/'));)
        *at = '!';
    read_value(folders, name, "dev", value);
    colon = strchr(value, ':');
    return S_ISBLK(status.st_mode) && colon && major(status.st_rdev) == strtoul(value, NULL, 10) &&
           minor(status.st_rdev) == strtoul(colon + 1, NULL, 10);
}

int sysfs_open(const struct disk_folders *folders, const struct disk *disk, int flags,
               struct err *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", folders->dev, disk->name);
    int fd = open(path, flags | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "%s", path);
    if (is_its_node(folders, disk, fd))
        return fd;
    close(fd);
    return err_set(err, ERR_STORAGE_ERROR, "%s is not the device that the kernel calls so", path);
}
