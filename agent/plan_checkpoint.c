/* Snapshots with memory. The slice stands still from the save of its memory to domain.resume, and its
 * disk's snapshot is taken in between: both are of one instant. */
#include "plan.h"

#include <string.h>

static struct step *add(struct plan *plan, enum step_kind kind, const char *prefix,
                        const struct slice *slice, uint32_t thin_id)
{
    plan->steps = xrealloc(plan->steps, (plan->count + 1) * sizeof(*plan->steps));
    struct step *step = &plan->steps[plan->count++];
    memset(step, 0, sizeof(*step));
    step->kind = kind;
    if (prefix)
        volume_name(step->name, prefix, slice->id);
    step->thin_id = thin_id;
    return step;
}

static void add_snapshot_step(struct plan *plan, enum step_kind kind, const struct slice *slice,
                              uint32_t thin_id)
{
    struct step *step = add(plan, kind, "slice", slice, thin_id);
    step->origin_id = slice->disk_thin_id;
    step->bytes = slice->disk_gib * GIB;
    step->flag = true;
}

void plan_checkpoint(const struct plan_facts *facts, struct plan *plan)
{
    const struct slice *slice = facts->slice;
    const struct saved_memory *memory = &facts->snapshots->memory;
    add_snapshot_step(plan, STEP_SNAPSHOT_MEASURE, slice, 0);
    add(plan, STEP_MEMORY_SAVE, "memory", slice, memory->thin_id)->bytes =
        saved_memory_room(memory);
    add_snapshot_step(plan, STEP_CHECKPOINT_TAKE, slice, facts->snapshots->thin_id);
    add(plan, STEP_DOMAIN_RESUME, NULL, slice, 0);
    plan->forward_from = plan->count;
}

/* What is saved is checked before anything is given up for it. The restored domain does not run before
 * domain.run, so that until then its disk is what it was at that instant and domain.restore can be
 * done again; from then on it goes its own way. */
void plan_checkpoint_revert(const struct plan_facts *facts, struct plan *plan)
{
    const struct slice *slice = facts->slice;
    const struct saved_memory *memory = &facts->snapshots->memory;
    uint64_t room = saved_memory_room(memory);
    add(plan, STEP_MEMORY_CHECK, "memory", slice, memory->thin_id)->bytes = room;
    add(plan, STEP_DISK_CLONE, NULL, slice, facts->new_disk_id)->origin_id =
        facts->snapshots->thin_id;
    plan->forward_from = plan->count;
    if (facts->domain)
        add(plan, STEP_DOMAIN_DESTROY, NULL, slice, 0);
    add(plan, STEP_VOLUME_DEACTIVATE, "slice", slice, slice->disk_thin_id);
    add(plan, STEP_DISK_SWAP, NULL, slice, facts->new_disk_id);
    add(plan, STEP_VOLUME_REMOVE, NULL, slice, slice->disk_thin_id);
    add(plan, STEP_DISK_ACTIVATE, "slice", slice, facts->new_disk_id)->bytes =
        slice->disk_gib * GIB;
    add(plan, STEP_SEED_WRITE, "seed", slice, slice->seed_thin_id);
    add(plan, STEP_DOMAIN_RESTORE, "memory", slice, facts->new_disk_id)->origin_id =
        slice->seed_thin_id;
    add(plan, STEP_DOMAIN_RUN, NULL, slice, 0);
}

/* A revert whose worker died again and again may have left it active. */
void plan_memory_remove(const struct slice *slice, const struct snapshot *snapshot,
                        struct plan *plan)
{
    if (!snapshot->memory.thin_id)
        return;
    add(plan, STEP_VOLUME_DEACTIVATE, "memory", slice, snapshot->memory.thin_id);
    add(plan, STEP_VOLUME_REMOVE, NULL, slice, snapshot->memory.thin_id);
}
