/* Runs a program and keeps what it says. */
#ifndef SLICENODE_DISKS_COMMAND_H
#define SLICENODE_DISKS_COMMAND_H

#include "base/err.h"

#include <stddef.h>

/* Runs `argv` (argv[0] is the path) and gives its standard output, at most `limit` bytes, which
 * the caller frees. Its standard error goes to ours, the service's log. An error when it does
 * not end within `timeout_ms`, ends with another status than 0, or says more. */
int command_output(const char *const argv[], int timeout_ms, size_t limit, char **output,
                   struct err *err);

#endif
