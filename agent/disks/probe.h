/* Reads all disks side by side, each in a process of its own: a drive that hangs is given up,
 * and the others are not kept waiting. */
#ifndef SLICENODE_DISKS_PROBE_H
#define SLICENODE_DISKS_PROBE_H

#include "disks/sysfs.h"

/* Fills the contents of `count` disks. One that has not answered after `limit_ms` is a disk that
 * could not be read. */
void probe_disks(const struct disk_folders *folders, struct disk *disks, unsigned count,
                 int limit_ms);

#endif
