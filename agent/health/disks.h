/* Asks all disks of the node for their health, each in a process of its own: one that does not
 * answer holds up nothing else. */
#ifndef SLICENODE_HEALTH_DISKS_H
#define SLICENODE_HEALTH_DISKS_H

struct disks;

struct disks *disks_open(const char *run_dir);

/* Asks those that lie in the node's storage now and have no question open. */
void disks_ask(struct disks *disks);

/* Takes what answers there are, and says which disks have not given one. */
void disks_collect(struct disks *disks);

#endif
