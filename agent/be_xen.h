/* The real hypervisor: Xen through libxl. Domains are named by their slice's UUID and have it as
 * their own; that is how they are found again. */
#ifndef SLICENODE_BE_XEN_H
#define SLICENODE_BE_XEN_H

#include "backend.h"
#include "err.h"

int be_xen_open(struct hypervisor *hypervisor, struct err *err);

#endif
