/* Writes to disks, each time after a look at what is there: only the commands of the disks
 * service come here, and only for disks that the verdict gives them. */
#ifndef SLICENODE_DISKS_PREPARE_H
#define SLICENODE_DISKS_PREPARE_H

#include "base/err.h"
#include "disks/sysfs.h"

/* Marks a disk as being made ours and overwrites with zeros, behind that mark, what the verdict
 * found to be blank, named with :wipe, or half made. When it returns 0 the disk has kept what
 * was written. A disk that holds anything else by now is an error and stays as it is, unless
 * `wipe`. */
int prepare_disk(const struct disk_folders *folders, const struct disk *disk, bool wipe,
                 struct err *err);

/* Writes into the first sector, in place of the mark, which disk this is and whose (`node`, ""
 * when it is not known). An error when the sector holds anything that is not ours. */
int prepare_label(const struct disk_folders *folders, const struct disk *disk, const char *node,
                  struct err *err);

#endif
