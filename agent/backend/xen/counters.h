/* As in backend.h, from sysfs. */
#ifndef SLICENODE_BACKEND_XEN_COUNTERS_H
#define SLICENODE_BACKEND_XEN_COUNTERS_H

#include "backend/backend.h"
#include "base/err.h"

#include <stddef.h>

int be_xen_counters(void *state, const struct domain_info *domains, size_t count,
                    struct domain_counters *counters, struct err *err);

#endif
