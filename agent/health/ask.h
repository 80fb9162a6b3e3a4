/* Asks a disk for its health, by ioctl. It may take as long as a disk that is dying takes: to be
 * called in a process of its own. */
#ifndef SLICENODE_HEALTH_ASK_H
#define SLICENODE_HEALTH_ASK_H

#include "health/smart.h"

/* `name` as in /sys/block. */
enum smart_verdict ask_disk(const char *name, struct smart_before *before,
                            char text[static SMART_TEXT_BYTES]);

#endif
