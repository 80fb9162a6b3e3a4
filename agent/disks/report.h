/* Tells the verdict: to the screen and the agent (/run/slicenode/disks), and to the script that
 * carries it out (/run/slicenode/storage). */
#ifndef SLICENODE_DISKS_REPORT_H
#define SLICENODE_DISKS_REPORT_H

#include "disks/judge.h"

/* Writes RUN/disks: a line to a disk, its fields separated by tabs: name, size in MiB, state,
 * reason, model, serial. */
int report_disks(const char *run, const struct disk *disks, unsigned count, struct err *err);

/* Writes RUN/storage, lines "KEY VALUE": what is wrong (`code`, `message`), the group (`group`
 * and so on), then what is to be done with each disk that has a part in it:
 * `use|take|wipe|remake NAME PATH`, `grown NAME PATH`. */
int report_storage(const char *run, const char *dev, const struct disk *disks, unsigned count,
                   const struct disk_rules *rules, const struct storage_verdict *verdict,
                   struct err *err);

/* What RUN/storage says is to be done with the disk of this name: a script that names another
 * one by mistake gets ACTION_NONE. */
int report_action(const char *run, const char *name, enum disk_action *action, struct err *err);

#endif
