/* Volumes: their own plans, and their part of the plans of the slices that they are attached to. */
#include "plan/volume.h"

#include "base/memory.h"
#include "model/volume.h"
#include "plan/facts.h"
#include "plan/steps.h"

#include <string.h>

#define PREFIX "data"

static struct step *insert_of(struct plan *plan, size_t at, enum step_kind kind,
                              const struct volume *volume)
{
    struct step *step = plan_insert(plan, at, kind);
    volume_name(step->name, PREFIX, volume->id);
    step->thin_id = volume->thin_id;
    step->origin_id = volume->slot;
    step->bytes = volume->size_gib * GIB;
    return step;
}

static struct step *add_of(struct plan *plan, enum step_kind kind, const struct volume *volume)
{
    return insert_of(plan, plan->count, kind, volume);
}

void plan_volume_create(const struct plan_facts *facts, struct plan *plan)
{
    add_of(plan, STEP_VOLUME_CREATE, facts->volumes);
    plan->forward_from = plan->count;
}

void plan_volume_attach(const struct plan_facts *facts, struct plan *plan)
{
    if (facts->domain && !facts->shut_down)
        add_of(plan, STEP_DISK_PLUG, facts->volumes);
    plan->forward_from = plan->count;
}

/* A guest that runs is asked, one that has ended is not. Without a domain the volume is active
 * nowhere, but a failure may have left it so. */
void plan_volume_detach(const struct plan_facts *facts, struct plan *plan)
{
    if (facts->domain)
        add_of(plan, STEP_DISK_UNPLUG, facts->volumes)->flag = facts->force || facts->shut_down;
    else
        add_of(plan, STEP_VOLUME_DEACTIVATE, facts->volumes);
    plan->forward_from = plan->count;
}

/* Once the device has grown the slice may find out by itself, so there is no way back. */
void plan_volume_resize(const struct plan_facts *facts, struct plan *plan)
{
    if (!facts->domain || facts->shut_down)
        return;
    add_of(plan, STEP_VOLUME_ACTIVATE, facts->volumes)->bytes = facts->size_gib * GIB;
    add_of(plan, STEP_DISK_GROW, facts->volumes)->bytes = facts->size_gib * GIB;
}

void plan_volume_delete(const struct plan_facts *facts, struct plan *plan)
{
    add_of(plan, STEP_VOLUME_DEACTIVATE, facts->volumes);
    add_of(plan, STEP_VOLUME_REMOVE, facts->volumes);
}

/* Wherever a plan starts a domain the volumes are made ready for it, and wherever it takes a slice's
 * volumes back, of which the seed is the last, these go too. */
void plan_present_volumes(const struct plan_facts *facts, struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct step *step = &plan->steps[i];
        bool starts = step->kind == STEP_DOMAIN_START;
        bool stopped = step->kind == STEP_VOLUME_DEACTIVATE && strncmp(step->name, "seed-", 5) == 0;
        if (!starts && !stopped)
            continue;
        size_t at = starts ? i : i + 1;
        for (size_t k = 0; k < facts->volume_count; k++)
            insert_of(plan, at + k, starts ? STEP_VOLUME_ACTIVATE : STEP_VOLUME_DEACTIVATE,
                      &facts->volumes[k]);
        if (at < plan->forward_from)
            plan->forward_from += facts->volume_count;
        i += facts->volume_count;
    }
}
