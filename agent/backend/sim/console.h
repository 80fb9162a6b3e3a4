/* A domain's console. */
#ifndef SLICENODE_BACKEND_SIM_CONSOLE_H
#define SLICENODE_BACKEND_SIM_CONSOLE_H

#include "backend/backend.h"
#include "base/err.h"

int sim_console_tty(void *state, const char *slice, char path[static TTY_PATH_BYTES],
                    struct err *err);

#endif
