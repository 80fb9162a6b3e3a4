/* Commits of the store as moments. */
#ifndef SLICENODE_BACKEND_SIM_COMMIT_H
#define SLICENODE_BACKEND_SIM_COMMIT_H

#include "backend/open.h"
#include "backend/sim/folder.h"
#include "store/store.h"

/* From now on commits of the store are moments. The store closes before the simulated node. */
void sim_watch_commits(struct sim *sim, struct store *store);

#endif
