/* The plans of slices. plan_add_start adds what starts one from that disk; `first`: the seed's
 * volume and the console are made here, so that an undo removes them. */
#ifndef SLICENODE_PLAN_SLICE_H
#define SLICENODE_PLAN_SLICE_H

#include "plan/facts.h"
#include "plan/steps.h"

void plan_add_start(struct plan *plan, const struct plan_facts *facts, uint32_t disk_id,
                    bool first);

void plan_provision(const struct plan_facts *facts, struct plan *plan);
void plan_start(const struct plan_facts *facts, struct plan *plan);
void plan_stop(const struct plan_facts *facts, struct plan *plan);
void plan_pause(const struct plan_facts *facts, struct plan *plan);
void plan_unpause(const struct plan_facts *facts, struct plan *plan);
void plan_reboot(const struct plan_facts *facts, struct plan *plan);
void plan_resize(const struct plan_facts *facts, struct plan *plan);
void plan_terminate(const struct plan_facts *facts, struct plan *plan);

#endif
