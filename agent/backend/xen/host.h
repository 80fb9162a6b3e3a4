/* The machine under all domains. */
#ifndef SLICENODE_BACKEND_XEN_HOST_H
#define SLICENODE_BACKEND_XEN_HOST_H

#include "backend/backend.h"
#include "backend/xen/xen.h"
#include "base/err.h"

#include <stdint.h>

/* Memory that a new domain can be built from now. */
int be_xen_free_kib(struct be_xen *xen, uint64_t *free_kib, struct err *err);

/* As in backend.h. */
int be_xen_host(void *state, struct host_info *host, struct err *err);
int be_xen_prefer_host(void *state, struct err *err);

#endif
