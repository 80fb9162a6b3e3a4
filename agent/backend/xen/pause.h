/* As in backend.h. */
#ifndef SLICENODE_BACKEND_XEN_PAUSE_H
#define SLICENODE_BACKEND_XEN_PAUSE_H

#include "base/err.h"

int be_xen_pause(void *state, const char *slice, struct err *err);
int be_xen_unpause(void *state, const char *slice, struct err *err);

#endif
