/* libxl's messages go to the log; the errors since be_xen_forget are kept for `struct err`. */
#ifndef SLICENODE_BACKEND_XEN_LOG_H
#define SLICENODE_BACKEND_XEN_LOG_H

#include "backend/xen/xen.h"
#include "base/err.h"

void be_xen_log_init(struct be_xen_log *log);
/* To be called before each libxl call whose failure will be reported. */
void be_xen_forget(struct be_xen *xen);
/* Reports libxl's return code with what libxl said itself; returns -1. */
int be_xen_fail(struct be_xen *xen, struct err *err, int code, const char *what, const char *slice);

#endif
