/* The real hypervisor: Xen through libxl. Domains are named by their slice's UUID and have it as
 * their own; that is how they are found again. */
#ifndef SLICENODE_BACKEND_XEN_OPEN_H
#define SLICENODE_BACKEND_XEN_OPEN_H

#include "backend/backend.h"
#include "base/err.h"

int be_xen_open(struct hypervisor *hypervisor, struct err *err);

#endif
