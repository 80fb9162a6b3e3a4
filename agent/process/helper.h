/* What sliced-import and sliced-export share: a program that carries out one order of the agent
 * under its sandbox, and tells how that ended. */
#ifndef SLICENODE_PROCESS_HELPER_H
#define SLICENODE_PROCESS_HELPER_H

#include "base/err.h"
#include "process/sandbox.h"
#include "process/wire.h"

/* The program: `run` works with the wire on descriptor 3. Returns main's result. */
int order_run(const char *name, enum sandbox_profile profile,
              int (*run)(struct wire *wire, struct err *err));

#endif
