/* Volumes: their own plans, and their part of the plans of the slices that they are attached to. */
#include "plan/volume.h"

#include "base/memory.h"
#include "model/volume.h"
#include "plan/facts.h"
#include "plan/steps.h"

static struct step_volume volume_of(const struct volume *volume)
{
    return step_volume("data", volume->id, volume->thin_id, volume->size_gib * GIB);
}

static struct step_plug plug_of(const struct volume *volume, bool force)
{
    return (struct step_plug){.volume = volume_of(volume), .slot = volume->slot, .force = force};
}

void plan_add_volumes(struct plan *plan, const struct plan_facts *facts, enum step_kind kind)
{
    for (size_t i = 0; i < facts->volume_count; i++)
        plan_add(plan, kind)->volume = volume_of(&facts->volumes[i]);
}

void plan_volume_create(const struct plan_facts *facts, struct plan *plan)
{
    plan_add(plan, STEP_VOLUME_CREATE)->volume = volume_of(facts->volumes);
    plan->forward_from = plan->count;
}

void plan_volume_attach(const struct plan_facts *facts, struct plan *plan)
{
    if (facts->domain && !facts->shut_down)
        plan_add(plan, STEP_DISK_PLUG)->plug = plug_of(facts->volumes, false);
    plan->forward_from = plan->count;
}

/* A guest that runs is asked, one that has ended is not. Without a domain the volume is active
 * nowhere, but a failure may have left it so. */
void plan_volume_detach(const struct plan_facts *facts, struct plan *plan)
{
    if (facts->domain)
        plan_add(plan, STEP_DISK_UNPLUG)->plug =
            plug_of(facts->volumes, facts->force || facts->shut_down);
    else
        plan_add(plan, STEP_VOLUME_DEACTIVATE)->volume = volume_of(facts->volumes);
    plan->forward_from = plan->count;
}

/* Once the device has grown the slice may find out by itself, so there is no way back. */
void plan_volume_resize(const struct plan_facts *facts, struct plan *plan)
{
    struct step_volume larger = volume_of(facts->volumes);
    if (!facts->domain || facts->shut_down)
        return;
    larger.bytes = facts->size_gib * GIB;
    plan_add(plan, STEP_VOLUME_ACTIVATE)->volume = larger;
    plan_add(plan, STEP_DISK_GROW)->growth =
        (struct step_growth){.volume = larger, .slot = facts->volumes->slot};
}

void plan_volume_delete(const struct plan_facts *facts, struct plan *plan)
{
    plan_add(plan, STEP_VOLUME_DEACTIVATE)->volume = volume_of(facts->volumes);
    plan_add(plan, STEP_VOLUME_REMOVE)->volume = volume_of(facts->volumes);
}
