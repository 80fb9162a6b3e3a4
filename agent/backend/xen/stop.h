/* How domains end, and the machine. */
#ifndef SLICENODE_BACKEND_XEN_STOP_H
#define SLICENODE_BACKEND_XEN_STOP_H

#include "backend/xen/xen.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Destroys one domain by number and waits until Xen has given its memory back. */
int be_xen_destroy(struct be_xen *xen, uint32_t domain_id, const char *slice, struct err *err);

/* As in backend.h. */
int be_xen_shutdown(void *state, const char *slice, bool reboot, struct err *err);
int be_xen_destroy_slice(void *state, const char *slice, struct err *err);
int be_xen_reboot(void *state, struct err *err);

#endif
