/* The domains that there are. */
#ifndef SLICENODE_BACKEND_XEN_LIST_H
#define SLICENODE_BACKEND_XEN_LIST_H

#include "backend/backend.h"
#include "backend/xen/xen.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* All domains but dom0, in the order of their numbers; an array owned by the caller. */
int be_xen_domains(struct be_xen *xen, struct xen_domain **list, size_t *count, struct err *err);

/* Those that this agent made, as in backend.h. */
int be_xen_list(void *state, struct domain_info **list, size_t *count, struct err *err);

/* The live domain of a slice: 1 and `info` filled, 0 when there is none, -1. Dying ones count only
 * when `dying` is set. */
int be_xen_find(struct be_xen *xen, const char *slice, bool dying, struct xen_domain *info,
                struct err *err);

int be_xen_find_domain(void *state, const char *slice, struct domain_info *info, struct err *err);

#endif
