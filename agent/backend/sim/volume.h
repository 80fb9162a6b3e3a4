/* The simulated pool. */
#ifndef SLICENODE_BACKEND_SIM_VOLUME_H
#define SLICENODE_BACKEND_SIM_VOLUME_H

#include "backend/backend.h"
#include "backend/sim/folder.h"

void sim_storage(struct sim *sim, struct storage *storage);

#endif
