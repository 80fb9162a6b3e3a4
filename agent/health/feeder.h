/* Feeds the machine's watchdogs: Xen's, and those of the hardware whose drivers are loaded. */
#ifndef SLICENODE_HEALTH_FEEDER_H
#define SLICENODE_HEALTH_FEEDER_H

#include <stdbool.h>
#include <sys/types.h>

/* Xen's, the chipset's and the board's. Others would not be opened, and so never begin to bark. */
#define WATCHDOGS_MAX 8

struct feeder {
    int fds[WATCHDOGS_MAX];
    unsigned count;
    pid_t probe; /* 0: none */
};

/* Opens FOLDER/watchdog0 and on. From then on the machine starts anew when nobody feeds it. */
void feeder_open(struct feeder *feeder, const char *folder);

/* To be called every few seconds: feeds them if a program that was started at the last call has run
 * to its end, and starts the next one. */
void feeder_tick(struct feeder *feeder, const char *program);

#endif
