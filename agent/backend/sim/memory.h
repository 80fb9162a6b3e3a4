/* A domain's memory, saved and brought back. */
#ifndef SLICENODE_BACKEND_SIM_MEMORY_H
#define SLICENODE_BACKEND_SIM_MEMORY_H

#include "backend/backend.h"
#include "base/err.h"
#include "model/snapshot.h"

int sim_save_memory(void *state, const char *slice, const char *path, struct memory_mark *mark,
                    struct err *err);
int sim_resume(void *state, const char *slice, struct err *err);
int sim_restore(void *state, const struct domain_config *config, const char *path,
                const struct memory_mark *mark, struct err *err);
int sim_run(void *state, const char *slice, int *domain_id, struct err *err);

#endif
