/* Reads the kernel's log for what is wrong with the machine: disks with errors or gone, firmware
 * that a driver asks for and the image does not have, errors of memory that the firmware tells. */
#ifndef SLICENODE_NODE_KERNEL_WATCH_H
#define SLICENODE_NODE_KERNEL_WATCH_H

struct agent;
struct kernel_watch;

struct kernel_watch *kernel_watch_open(struct agent *agent);
void kernel_watch_close(struct kernel_watch *watch);

#endif
