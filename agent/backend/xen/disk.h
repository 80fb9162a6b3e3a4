/* Disks of a domain that runs; as in backend.h. */
#ifndef SLICENODE_BACKEND_XEN_DISK_H
#define SLICENODE_BACKEND_XEN_DISK_H

#include "backend/backend.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

int be_xen_disk_plug(void *state, const char *slice, const struct domain_disk *disk,
                     struct err *err);
int be_xen_disk_unplug(void *state, const char *slice, const char *device, bool force,
                       struct err *err);
int be_xen_disk_grow(void *state, const char *slice, const char *device, uint64_t bytes,
                     struct err *err);

#endif
