/* A domain's memory, saved and brought back; as in backend.h. */
#ifndef SLICENODE_BACKEND_XEN_SAVE_H
#define SLICENODE_BACKEND_XEN_SAVE_H

#include "backend/backend.h"
#include "base/err.h"
#include "model/snapshot.h"

int be_xen_save(void *state, const char *slice, const char *path, struct memory_mark *mark,
                struct err *err);
int be_xen_resume(void *state, const char *slice, struct err *err);
int be_xen_restore(void *state, const struct domain_config *config, const char *path,
                   const struct memory_mark *mark, struct err *err);
int be_xen_run(void *state, const char *slice, int *domain_id, struct err *err);

#endif
