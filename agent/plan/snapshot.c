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
    struct step *step;
    /* An active disk is measured where the snapshot's space is asked for: that needs no worker. */
    if (!facts->domain) {
        step = plan_add_volume(plan, STEP_SNAPSHOT_MEASURE, "slice", slice->id, 0);
        step->origin_id = slice->disk_thin_id;
        step->bytes = plan_disk_bytes(slice);
    }
    step = plan_add_volume(plan, STEP_SNAPSHOT_TAKE, "slice", slice->id, facts->snapshots->thin_id);
    step->origin_id = slice->disk_thin_id;
    step->bytes = plan_disk_bytes(slice);
    step->flag = facts->domain;
    plan->forward_from = plan->count;
}

/* The clone is made first, so that the slice is untouched as long as something can fail. */
static void plan_revert_disk(const struct plan_facts *facts, struct plan *plan)
{
    const struct slice *slice = facts->slice;
    plan_add_volume(plan, STEP_DISK_CLONE, NULL, NULL, facts->new_disk_id)->origin_id =
        facts->snapshots->thin_id;
    plan->forward_from = plan->count;
    if (facts->domain)
        plan_add(plan, STEP_DOMAIN_DESTROY);
    plan_add_volume(plan, STEP_VOLUME_DEACTIVATE, "slice", slice->id, slice->disk_thin_id);
    plan_add_volume(plan, STEP_DISK_SWAP, NULL, NULL, facts->new_disk_id);
    plan_add_volume(plan, STEP_VOLUME_REMOVE, NULL, NULL, slice->disk_thin_id);
    if (facts->domain)
        plan_add_start(plan, slice, facts->new_disk_id, false);
}

/* One step: what is sent cannot be taken back, and after a crash all of it is sent again. */
void plan_export(const struct plan_facts *facts, struct plan *plan)
{
    const struct snapshot *snapshot = facts->snapshots;
    struct step *step =
        plan_add_volume(plan, STEP_SNAPSHOT_EXPORT, "export", snapshot->id, snapshot->thin_id);
    step->bytes = snapshot->size_bytes;
    step->origin_id = facts->since ? facts->since->thin_id : 0;
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
