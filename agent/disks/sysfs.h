/* The machine's disks as the kernel tells of them in /sys/block. Nothing is read from a disk. */
#ifndef SLICENODE_DISKS_SYSFS_H
#define SLICENODE_DISKS_SYSFS_H

#include "base/err.h"
#include "disks/disk.h"

/* Where the kernel's folders are; tests have their own. */
struct disk_folders {
    const char *sys; /* /sys */
    const char *dev; /* /dev */
};

/* Fills `disks` with all disks of the machine, by name: sda before sdaa, nvme2n1 before
 * nvme10n1. Hidden paths of a multipath drive, empty drives and what is no disk (loop, ram, dm,
 * CD) are left out. Returns how many there are; *more when there was no room for all. */
unsigned sysfs_disks(const struct disk_folders *folders, struct disk disks[static DISKS_MAX],
                     bool *more);

/* The device node of a disk, opened with `flags`; -1 when it is missing or is not the disk that
 * /sys/block names so: a file of that name would be written to instead. */
int sysfs_open(const struct disk_folders *folders, const struct disk *disk, int flags,
               struct err *err);

#endif
