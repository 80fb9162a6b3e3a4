/* The disks of a domain. */
#ifndef SLICENODE_BACKEND_SIM_DISK_H
#define SLICENODE_BACKEND_SIM_DISK_H

#include "backend/backend.h"
#include "backend/sim/folder.h"
#include "base/err.h"

/* The `disks` of a new domain; NULL when one is not there. */
json_t *sim_disks(const struct domain_config *config, struct err *err);
bool sim_disk_in_use(struct sim *sim, const char *volume);
int sim_disk_plug(void *state, const char *slice, const struct domain_disk *disk, struct err *err);
int sim_disk_unplug(void *state, const char *slice, const char *device, bool force,
                    struct err *err);
int sim_disk_grow(void *state, const char *slice, const char *device, uint64_t bytes,
                  struct err *err);

#endif
