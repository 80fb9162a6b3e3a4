/* As in backend.h. */
#ifndef SLICENODE_BACKEND_XEN_RESIZE_H
#define SLICENODE_BACKEND_XEN_RESIZE_H

#include "backend/backend.h"
#include "base/err.h"

#include <stdbool.h>

int be_xen_set_vcpus(void *state, const char *slice, const struct domain_change *change, bool *now,
                     struct err *err);
int be_xen_set_memory(void *state, const char *slice, const struct domain_change *change, bool *now,
                      struct err *err);

#endif
