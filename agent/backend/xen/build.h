/* How a domain is built and let run. */
#ifndef SLICENODE_BACKEND_XEN_BUILD_H
#define SLICENODE_BACKEND_XEN_BUILD_H

#include "backend/backend.h"
#include "backend/xen/xen.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* libxl's description of a disk; libxl_device_disk_dispose by the caller. */
void be_xen_fill_disk(libxl_device_disk *disk, const char *path, const char *device, bool writable);

/* Builds a domain, from the saved memory that `restore_fd` gives or anew when it is -1, and
 * leaves it paused and unmarked. On failure nothing of it remains. */
int be_xen_build(struct be_xen *xen, const struct domain_config *config, int restore_fd,
                 uint32_t *domain_id, struct err *err);
/* Marks a domain as whole and lets it run. */
int be_xen_launch(struct be_xen *xen, uint32_t domain_id, const char *slice, struct err *err);

/* As in backend.h. */
int be_xen_start(void *state, const struct domain_config *config, int *domain_id, struct err *err);

#endif
