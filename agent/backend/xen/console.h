/* As in backend.h. */
#ifndef SLICENODE_BACKEND_XEN_CONSOLE_H
#define SLICENODE_BACKEND_XEN_CONSOLE_H

#include "backend/backend.h"
#include "base/err.h"

int be_xen_console_tty(void *state, const char *slice, char path[static TTY_PATH_BYTES],
                       struct err *err);

#endif
