/* Commits of the store as moments. */
#ifndef SLICENODE_BACKEND_SIM_COMMIT_H
#define SLICENODE_BACKEND_SIM_COMMIT_H

#include "backend/sim/folder.h"

/* From now on commits of the agent's store are moments; NULL ends it. */
void sim_watch_commits(struct sim *sim);

#endif
