/* As in backend.h. */
#ifndef SLICENODE_BACKEND_XEN_WATCH_H
#define SLICENODE_BACKEND_XEN_WATCH_H

#include "base/err.h"

int be_xen_watch_fd(void *state);
int be_xen_watch_read(void *state, struct err *err);

#endif
