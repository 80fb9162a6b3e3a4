#include "plan/slice.h"

#include "model/nic.h"
#include "model/slice.h"
#include "plan/checkpoint.h"
#include "plan/facts.h"
#include "plan/image.h"
#include "plan/steps.h"
#include "plan/volume.h"

/* How long a guest may pause in giving memory or processors back. */
#define GIVE_BACK_SECONDS 10

/* The disk is the one of the facts' slice, or the one that takes its place. */
void plan_add_start(struct plan *plan, const struct plan_facts *facts, uint32_t disk_id, bool first)
{
    const struct slice *slice = facts->slice;
    plan_add(plan, STEP_DISK_ACTIVATE)->disk = (struct step_disk){
        .volume = step_volume("slice", slice->id, disk_id, plan_disk_bytes(slice))};
    plan_add(plan, STEP_SEED_WRITE)->seed = (struct step_seed){
        .volume = step_volume("seed", slice->id, slice->seed_thin_id, 0), .first = first};
    plan_add_volumes(plan, facts, STEP_VOLUME_ACTIVATE);
    plan_add(plan, STEP_DOMAIN_START)->start =
        (struct step_start){.disk_id = disk_id, .seed_id = slice->seed_thin_id, .first = first};
}

static void add_shutdown(struct plan *plan, const struct plan_facts *facts, bool reboot)
{
    if (!facts->domain)
        return;
    if (!facts->stop.force && !facts->shut_down) {
        /* A paused guest cannot answer. */
        if (facts->paused)
            plan_add(plan, STEP_DOMAIN_UNPAUSE);
        plan_add(plan, STEP_DOMAIN_SHUTDOWN)->shutdown.reboot = reboot;
        plan_add(plan, STEP_DOMAIN_WAIT)->wait.seconds = facts->stop.timeout_seconds;
    }
}

static void add_deactivate(struct plan *plan, const struct plan_facts *facts)
{
    const struct slice *slice = facts->slice;
    plan_add_volume(plan, STEP_VOLUME_DEACTIVATE, "slice", slice->id, slice->disk_thin_id);
    plan_add_volume(plan, STEP_VOLUME_DEACTIVATE, "seed", slice->id, slice->seed_thin_id);
    plan_add_volumes(plan, facts, STEP_VOLUME_DEACTIVATE);
}

void plan_provision(const struct plan_facts *facts, struct plan *plan)
{
    const struct slice *slice = facts->slice;
    if (facts->image && !facts->image_ready)
        plan_add_import(plan, facts);
    plan_add(plan, STEP_DISK_CLONE)->clone = (struct step_clone){
        .thin_id = slice->disk_thin_id,
        .origin_id = facts->image ? facts->image->thin_id : facts->snapshots->thin_id};
    if (slice->desired_running)
        plan_add_start(plan, facts, slice->disk_thin_id, true);
    plan->forward_from = plan->count;
}

void plan_reboot(const struct plan_facts *facts, struct plan *plan)
{
    add_shutdown(plan, facts, true);
    plan->forward_from = plan->count;
    plan_add(plan, STEP_DOMAIN_DESTROY);
    plan_add_start(plan, facts, facts->slice->disk_thin_id, false);
}

void plan_stop(const struct plan_facts *facts, struct plan *plan)
{
    add_shutdown(plan, facts, false);
    plan->forward_from = plan->count;
    plan_add(plan, STEP_DOMAIN_DESTROY);
    add_deactivate(plan, facts);
}

void plan_terminate(const struct plan_facts *facts, struct plan *plan)
{
    const struct slice *slice = facts->slice;
    plan_add(plan, STEP_DOMAIN_DESTROY);
    add_deactivate(plan, facts);
    if (slice->disk_thin_id)
        plan_add_volume(plan, STEP_VOLUME_REMOVE, NULL, NULL, slice->disk_thin_id);
    if (slice->seed_thin_id)
        plan_add_volume(plan, STEP_VOLUME_REMOVE, NULL, NULL, slice->seed_thin_id);
    for (size_t i = 0; i < facts->snapshot_count; i++) {
        plan_add_volume(plan, STEP_VOLUME_REMOVE, NULL, NULL, facts->snapshots[i].thin_id);
        plan_memory_remove(slice, &facts->snapshots[i], plan);
    }
    plan_add(plan, STEP_CONSOLE_REMOVE);
}

/* A slice that is paused is let go on rather than started anew. */
void plan_start(const struct plan_facts *facts, struct plan *plan)
{
    if (facts->paused) {
        plan_add(plan, STEP_DOMAIN_UNPAUSE);
    } else {
        if (facts->domain) /* one that has ended */
            plan_add(plan, STEP_DOMAIN_DESTROY);
        plan_add_start(plan, facts, facts->slice->disk_thin_id, false);
    }
    plan->forward_from = plan->count;
}

static void add_change(struct plan *plan, enum step_kind kind, uint64_t from, uint64_t to)
{
    plan_add(plan, kind)->change =
        (struct step_change){.from = from, .to = to, .wait_seconds = GIVE_BACK_SECONDS};
}

/* `slice` has its new sizes already. Without a domain they hold from the next start. A disk that
 * has grown may be in use in its new size at once: it comes last, and stays. */
void plan_resize(const struct plan_facts *facts, struct plan *plan)
{
    const struct slice *slice = facts->slice;
    bool runs = facts->domain && !facts->shut_down;
    if (runs && facts->resize.vcpus)
        add_change(plan, STEP_DOMAIN_VCPUS, slice->domain.vcpus, facts->resize.vcpus);
    if (runs && facts->resize.memory_mib)
        add_change(plan, STEP_DOMAIN_MEMORY, slice->domain.memory_mib, facts->resize.memory_mib);
    plan->forward_from = plan->count;
    if (!runs || !facts->resize.disk_gib)
        return;
    const struct step_volume disk =
        step_volume("slice", slice->id, slice->disk_thin_id, plan_disk_bytes(slice));
    plan_add(plan, STEP_DISK_ACTIVATE)->disk = (struct step_disk){.volume = disk, .grown = true};
    plan_add(plan, STEP_DISK_GROW)->growth = (struct step_growth){.volume = disk, .own_disk = true};
}

void plan_pause(const struct plan_facts *facts, struct plan *plan)
{
    (void)facts;
    plan_add(plan, STEP_DOMAIN_PAUSE);
    plan->forward_from = plan->count;
}

void plan_unpause(const struct plan_facts *facts, struct plan *plan)
{
    (void)facts;
    plan_add(plan, STEP_DOMAIN_UNPAUSE);
    plan->forward_from = plan->count;
}
