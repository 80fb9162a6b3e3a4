/* Snapshots with memory. The slice stands still from the save of its memory to domain.resume,
 * and its disk's snapshot is taken in between: both are of one instant. */
#include "plan/checkpoint.h"

#include "model/nic.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "plan/facts.h"
#include "plan/steps.h"

static struct step_snapshot snapshot_of(const struct slice *slice, uint32_t thin_id)
{
    return (struct step_snapshot){
        .origin = step_volume("slice", slice->id, slice->disk_thin_id, plan_disk_bytes(slice)),
        .thin_id = thin_id,
        .active = true};
}

void plan_checkpoint(const struct plan_facts *facts, struct plan *plan)
{
    const struct slice *slice = facts->slice;
    const struct saved_memory *memory = &facts->snapshots->memory;
    plan_add(plan, STEP_SNAPSHOT_MEASURE)->snapshot = snapshot_of(slice, 0);
    plan_add_volume(plan, STEP_MEMORY_SAVE, "memory", slice->id, memory->thin_id)->volume.bytes =
        saved_memory_room(memory);
    plan_add(plan, STEP_CHECKPOINT_TAKE)->snapshot = snapshot_of(slice, facts->snapshots->thin_id);
    plan_add(plan, STEP_DOMAIN_RESUME);
    plan->forward_from = plan->count;
}

void plan_swap_disk(const struct plan_facts *facts, struct plan *plan)
{
    const struct slice *slice = facts->slice;
    plan_add(plan, STEP_DISK_CLONE)->clone =
        (struct step_clone){.thin_id = facts->new_disk_id, .origin_id = facts->snapshots->thin_id};
    plan->forward_from = plan->count;
    if (facts->domain)
        plan_add(plan, STEP_DOMAIN_DESTROY);
    plan_add_volume(plan, STEP_VOLUME_DEACTIVATE, "slice", slice->id, slice->disk_thin_id);
    plan_add_volume(plan, STEP_DISK_SWAP, NULL, NULL, facts->new_disk_id);
    plan_add_volume(plan, STEP_VOLUME_REMOVE, NULL, NULL, slice->disk_thin_id);
}

/* What is saved is checked before anything is given up for it. The restored domain does not run
 * before domain.run, so that until then its disk is what it was at that instant and
 * domain.restore can be done again; from then on it goes its own way. */
void plan_checkpoint_revert(const struct plan_facts *facts, struct plan *plan)
{
    const struct slice *slice = facts->slice;
    const struct saved_memory *memory = &facts->snapshots->memory;
    uint64_t room = saved_memory_room(memory);
    plan_add_volume(plan, STEP_MEMORY_CHECK, "memory", slice->id, memory->thin_id)->volume.bytes =
        room;
    plan_swap_disk(facts, plan);
    plan_add(plan, STEP_DISK_ACTIVATE)->disk = (struct step_disk){
        .volume = step_volume("slice", slice->id, facts->new_disk_id, plan_disk_bytes(slice))};
    plan_add(plan, STEP_SEED_WRITE)->seed =
        (struct step_seed){.volume = step_volume("seed", slice->id, slice->seed_thin_id, 0)};
    struct step_start *start = &plan_add(plan, STEP_DOMAIN_RESTORE)->start;
    *start = (struct step_start){.disk_id = facts->new_disk_id, .seed_id = slice->seed_thin_id};
    volume_name(start->memory, "memory", slice->id);
    plan_add(plan, STEP_DOMAIN_RUN);
}

/* A revert whose worker died again and again may have left it active. */
void plan_memory_remove(const struct slice *slice, const struct snapshot *snapshot,
                        struct plan *plan)
{
    if (!snapshot->memory.thin_id)
        return;
    plan_add_volume(plan, STEP_VOLUME_DEACTIVATE, "memory", slice->id, snapshot->memory.thin_id);
    plan_add_volume(plan, STEP_VOLUME_REMOVE, NULL, NULL, snapshot->memory.thin_id);
}
