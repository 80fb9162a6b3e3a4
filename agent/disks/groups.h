/* What LVM says of the physical volumes among the disks. */
#ifndef SLICENODE_DISKS_GROUPS_H
#define SLICENODE_DISKS_GROUPS_H

#include "base/err.h"
#include "disks/disk.h"

/* Asks `lvm` (the program's path) for the group of each disk that is `wanted`. A disk that LVM
 * does not answer for keeps `known` false, and the reason. */
void groups_read(const char *lvm, const char *dev, struct disk *disks, unsigned count,
                 const bool *wanted);

/* Takes LVM's report (JSON, one physical volume to an object) to the disks that it names. */
int groups_take(const char *text, const char *dev, struct disk *disks, unsigned count,
                struct err *err);

#endif
