/* One disk by two paths, and copies of a disk. Pure. */
#ifndef SLICENODE_DISKS_DUPLICATES_H
#define SLICENODE_DISKS_DUPLICATES_H

#include "disks/disk.h"

/* Marks those disks that are another path to an earlier one, or carry the same physical volume
 * as another: their state becomes DISK_DUPLICATE. Before LVM is asked, which knows only one of a
 * kind. */
void duplicates_mark(struct disk *disks, unsigned count);

/* The first of the copies that nobody can tell apart, to which `disk` belongs; else the disk. */
const struct disk *duplicates_first(const struct disk *disks, unsigned count,
                                    const struct disk *disk);

/* Whether LVM is to be asked about the disk: of several copies, about the first alone. */
bool duplicates_ask_lvm(const struct disk *disks, unsigned count, const struct disk *disk);

#endif
