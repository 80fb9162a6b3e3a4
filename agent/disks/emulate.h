/* Sectors of 512 bytes on a disk that has 4096: the partition tables of images count in 512. */
#ifndef SLICENODE_DISKS_EMULATE_H
#define SLICENODE_DISKS_EMULATE_H

#include "base/err.h"
#include "disks/disk.h"

/* The device that the volume group lies on: the disk itself, or for one with sectors of 4096
 * bytes the device that emulate_sectors makes. The caller frees it. */
char *emulate_path(const char *dev, const struct disk *disk);

/* Makes that device, if it is not there yet. What is not aligned to 4096 bytes is read, changed
 * and written by the kernel (dm-ebs, Documentation/admin-guide/device-mapper/dm-ebs.rst); the
 * rest passes as it is. */
int emulate_sectors(const char *dev, const struct disk *disk, struct err *err);

#endif
