/* libxl runs hotplug helpers as children and learns of their end by SIGCHLD, which our callers
 * usually block. */
#ifndef SLICENODE_BACKEND_XEN_CHILDREN_H
#define SLICENODE_BACKEND_XEN_CHILDREN_H

#include <signal.h>

void be_xen_children_begin(sigset_t *saved);
void be_xen_children_end(const sigset_t *saved);

#endif
