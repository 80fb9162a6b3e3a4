/* Moments: where a test has the agent killed, held or refused. */
#ifndef SLICENODE_BACKEND_SIM_MOMENT_H
#define SLICENODE_BACKEND_SIM_MOMENT_H

#include "backend/sim/folder.h"
#include "base/err.h"

/* Before and after every call that changes something: counts, delays, fails, kills. */
int sim_enter(struct sim *sim, const char *call, struct err *err);
void sim_leave(struct sim *sim);

/* A moment that is no point. */
void sim_moment(struct sim *sim, const char *name);

#endif
