#include "plan/snapshot.h"

#include "model/nic.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "plan/checkpoint.h"
#include "plan/facts.h"
#include "plan/slice.h"
#include "plan/steps.h"

static void plan_of_disk(const struct plan_facts *facts, struct plan *plan)
{
    const struct slice *slice = facts->slice;
    struct step_snapshot args = {
        .origin = step_volume("slice", slice->id, slice->disk_thin_id, plan_disk_bytes(slice))};
    /* An active disk is measured where the snapshot's space is asked for: that needs no worker. */
    if (!facts->domain)
        plan_add(plan, STEP_SNAPSHOT_MEASURE)->snapshot = args;
    args.thin_id = facts->snapshots->thin_id;
    args.active = facts->domain;
    plan_add(plan, STEP_SNAPSHOT_TAKE)->snapshot = args;
    plan->forward_from = plan->count;
}

static void plan_revert_disk(const struct plan_facts *facts, struct plan *plan)
{
    plan_swap_disk(facts, plan);
    if (facts->domain)
        plan_add_start(plan, facts, facts->new_disk_id, false);
}

/* One step: what is sent cannot be taken back, and after a crash all of it is sent again. */
void plan_export(const struct plan_facts *facts, struct plan *plan)
{
    const struct snapshot *snapshot = facts->snapshots;
    plan_add(plan, STEP_SNAPSHOT_EXPORT)->export = (struct step_export){
        .volume = step_volume("export", snapshot->id, snapshot->thin_id, snapshot->size_bytes),
        .since_id = facts->since ? facts->since->thin_id : 0};
    plan->forward_from = plan->count;
}

void plan_snapshot(const struct plan_facts *facts, struct plan *plan)
{
    if (facts->snapshots->memory.thin_id)
        plan_checkpoint(facts, plan);
    else
        plan_of_disk(facts, plan);
}

void plan_revert(const struct plan_facts *facts, struct plan *plan)
{
    if (facts->snapshots->memory.thin_id)
        plan_checkpoint_revert(facts, plan);
    else
        plan_revert_disk(facts, plan);
}

void plan_snapshot_delete(const struct plan_facts *facts, struct plan *plan)
{
    plan_add_volume(plan, STEP_VOLUME_REMOVE, NULL, NULL, facts->snapshots->thin_id);
    plan_memory_remove(facts->slice, facts->snapshots, plan);
}
