/* The simulated hypervisor. */
#ifndef SLICENODE_BACKEND_SIM_DOMAIN_H
#define SLICENODE_BACKEND_SIM_DOMAIN_H

#include "backend/backend.h"
#include "backend/sim/folder.h"

void sim_hypervisor(struct sim *sim, struct hypervisor *hypervisor);
/* Whether a domain uses the volume of that name now. */
bool sim_volume_busy(struct sim *sim, const char *name);

#endif
