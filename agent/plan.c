#include "plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long a guest may pause in giving memory or processors back. */
#define GIVE_BACK_SECONDS 10

void volume_name(char name[static VOLUME_NAME_BYTES], const char *prefix, const char *id)
{
    snprintf(name, VOLUME_NAME_BYTES, "%s-%s", prefix, id);
}

const char *step_name(enum step_kind kind)
{
    static const char *const names[] = {
#define X(name, text) text,
        STEP_KINDS(X)
#undef X
    };
    return kind < STEP_COUNT ? names[kind] : "unknown";
}

bool step_is_final(enum step_kind kind)
{
    return kind == STEP_DISK_SWAP;
}

static bool is_of_pool(enum step_kind kind)
{
    switch (kind) {
    case STEP_DISK_CLONE:
    case STEP_DISK_ACTIVATE:
    case STEP_VOLUME_CREATE:
    case STEP_VOLUME_ACTIVATE:
    case STEP_VOLUME_DEACTIVATE:
    case STEP_VOLUME_REMOVE:
    case STEP_SNAPSHOT_MEASURE:
    case STEP_SNAPSHOT_TAKE:
    case STEP_SNAPSHOT_EXPORT:
        return true;
    default:
        return false;
    }
}

bool plan_is_of_pool(const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        if (!is_of_pool(plan->steps[i].kind))
            return false;
    return true;
}

static struct step *add(struct plan *plan, enum step_kind kind)
{
    plan->steps = xrealloc(plan->steps, (plan->count + 1) * sizeof(*plan->steps));
    struct step *step = &plan->steps[plan->count++];
    memset(step, 0, sizeof(*step));
    step->kind = kind;
    return step;
}

static struct step *add_volume(struct plan *plan, enum step_kind kind, const char *prefix,
                               const char *id, uint32_t thin_id)
{
    struct step *step = add(plan, kind);
    if (prefix)
        volume_name(step->name, prefix, id);
    step->thin_id = thin_id;
    return step;
}

static uint64_t disk_bytes(const struct slice *slice)
{
    return slice->disk_gib * GIB;
}

static void add_import(struct plan *plan, const struct plan_facts *facts)
{
    const struct image *image = facts->image;
    struct step *step;
    if (image->kind == IMAGE_DISK) {
        step = add_volume(plan, STEP_IMAGE_IMPORT, "image", image->id, image->thin_id);
    } else {
        step = add(plan, STEP_FILE_IMPORT);
        copy_text(step->name, sizeof(step->name), image->id);
    }
    step->bytes = facts->image_limit_bytes;
    step->origin_id = facts->scratch_id;
    step->format = image->format;
}

/* `first`: the seed's volume and the console are made here, so that an undo removes them. */
static void add_start(struct plan *plan, const struct slice *slice, uint32_t disk_id, bool first)
{
    add_volume(plan, STEP_DISK_ACTIVATE, "slice", slice->id, disk_id)->bytes = disk_bytes(slice);
    add_volume(plan, STEP_SEED_WRITE, "seed", slice->id, slice->seed_thin_id)->flag = first;
    struct step *step = add_volume(plan, STEP_DOMAIN_START, NULL, NULL, disk_id);
    step->origin_id = slice->seed_thin_id;
    step->flag = first;
}

static void add_shutdown(struct plan *plan, const struct plan_facts *facts, bool reboot)
{
    if (!facts->domain)
        return;
    if (!facts->stop.force && !facts->shut_down) {
        /* A paused guest cannot answer. */
        if (facts->paused)
            add(plan, STEP_DOMAIN_UNPAUSE);
        add(plan, STEP_DOMAIN_SHUTDOWN)->flag = reboot;
        add(plan, STEP_DOMAIN_WAIT)->seconds = facts->stop.timeout_seconds;
    }
}

static void add_deactivate(struct plan *plan, const struct slice *slice)
{
    add_volume(plan, STEP_VOLUME_DEACTIVATE, "slice", slice->id, slice->disk_thin_id);
    add_volume(plan, STEP_VOLUME_DEACTIVATE, "seed", slice->id, slice->seed_thin_id);
}

static void plan_provision(const struct plan_facts *facts, struct plan *plan)
{
    const struct slice *slice = facts->slice;
    if (facts->image && !facts->image_ready)
        add_import(plan, facts);
    add_volume(plan, STEP_DISK_CLONE, NULL, NULL, slice->disk_thin_id)->origin_id =
        facts->image ? facts->image->thin_id : facts->snapshots->thin_id;
    if (slice->desired_running)
        add_start(plan, slice, slice->disk_thin_id, true);
    plan->forward_from = plan->count;
}

static void plan_reboot(const struct plan_facts *facts, struct plan *plan)
{
    add_shutdown(plan, facts, true);
    plan->forward_from = plan->count;
    add(plan, STEP_DOMAIN_DESTROY);
    add_start(plan, facts->slice, facts->slice->disk_thin_id, false);
}

static void plan_stop(const struct plan_facts *facts, struct plan *plan)
{
    add_shutdown(plan, facts, false);
    plan->forward_from = plan->count;
    add(plan, STEP_DOMAIN_DESTROY);
    add_deactivate(plan, facts->slice);
}

static void plan_terminate(const struct plan_facts *facts, struct plan *plan)
{
    const struct slice *slice = facts->slice;
    add(plan, STEP_DOMAIN_DESTROY);
    add_deactivate(plan, slice);
    if (slice->disk_thin_id)
        add_volume(plan, STEP_VOLUME_REMOVE, NULL, NULL, slice->disk_thin_id);
    if (slice->seed_thin_id)
        add_volume(plan, STEP_VOLUME_REMOVE, NULL, NULL, slice->seed_thin_id);
    for (size_t i = 0; i < facts->snapshot_count; i++) {
        add_volume(plan, STEP_VOLUME_REMOVE, NULL, NULL, facts->snapshots[i].thin_id);
        plan_memory_remove(slice, &facts->snapshots[i], plan);
    }
    add(plan, STEP_CONSOLE_REMOVE);
}

static void plan_snapshot(const struct plan_facts *facts, struct plan *plan)
{
    const struct slice *slice = facts->slice;
    struct step *step;
    /* An active disk is measured where the snapshot's space is asked for: that needs no worker. */
    if (!facts->domain) {
        step = add_volume(plan, STEP_SNAPSHOT_MEASURE, "slice", slice->id, 0);
        step->origin_id = slice->disk_thin_id;
        step->bytes = disk_bytes(slice);
    }
    step = add_volume(plan, STEP_SNAPSHOT_TAKE, "slice", slice->id, facts->snapshots->thin_id);
    step->origin_id = slice->disk_thin_id;
    step->bytes = disk_bytes(slice);
    step->flag = facts->domain;
    plan->forward_from = plan->count;
}

/* A slice that is paused is let go on rather than started anew. */
static void plan_start(const struct plan_facts *facts, struct plan *plan)
{
    if (facts->paused) {
        add(plan, STEP_DOMAIN_UNPAUSE);
    } else {
        if (facts->domain) /* one that has ended */
            add(plan, STEP_DOMAIN_DESTROY);
        add_start(plan, facts->slice, facts->slice->disk_thin_id, false);
    }
    plan->forward_from = plan->count;
}

static void add_change(struct plan *plan, enum step_kind kind, uint64_t from, uint64_t to)
{
    struct step *step = add(plan, kind);
    step->from = from;
    step->to = to;
    step->seconds = GIVE_BACK_SECONDS;
}

/* `slice` has its new sizes already. Without a domain they hold from the next start. A disk that has
 * grown may be in use in its new size at once: it comes last, and stays. */
static void plan_resize(const struct plan_facts *facts, struct plan *plan)
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
    struct step *grow =
        add_volume(plan, STEP_DISK_ACTIVATE, "slice", slice->id, slice->disk_thin_id);
    grow->bytes = disk_bytes(slice);
    grow->flag = true;
    grow = add_volume(plan, STEP_DISK_GROW, "slice", slice->id, slice->disk_thin_id);
    grow->bytes = disk_bytes(slice);
    grow->flag = true;
}

/* The clone is made first, so that the slice is untouched as long as something can fail. */
static void plan_revert(const struct plan_facts *facts, struct plan *plan)
{
    const struct slice *slice = facts->slice;
    add_volume(plan, STEP_DISK_CLONE, NULL, NULL, facts->new_disk_id)->origin_id =
        facts->snapshots->thin_id;
    plan->forward_from = plan->count;
    if (facts->domain)
        add(plan, STEP_DOMAIN_DESTROY);
    add_volume(plan, STEP_VOLUME_DEACTIVATE, "slice", slice->id, slice->disk_thin_id);
    add_volume(plan, STEP_DISK_SWAP, NULL, NULL, facts->new_disk_id);
    add_volume(plan, STEP_VOLUME_REMOVE, NULL, NULL, slice->disk_thin_id);
    if (facts->domain)
        add_start(plan, slice, facts->new_disk_id, false);
}

/* One step: what is sent cannot be taken back, and after a crash all of it is sent again. */
static void plan_export(const struct plan_facts *facts, struct plan *plan)
{
    const struct snapshot *snapshot = facts->snapshots;
    struct step *step =
        add_volume(plan, STEP_SNAPSHOT_EXPORT, "export", snapshot->id, snapshot->thin_id);
    step->bytes = snapshot->size_bytes;
    step->origin_id = facts->since ? facts->since->thin_id : 0;
    plan->forward_from = plan->count;
}

static void plan_image_delete(const struct plan_facts *facts, struct plan *plan)
{
    const struct image *image = facts->image;
    if (image->kind == IMAGE_DISK) {
        add_volume(plan, STEP_VOLUME_DEACTIVATE, "image", image->id, image->thin_id);
        add_volume(plan, STEP_VOLUME_REMOVE, NULL, NULL, image->thin_id);
    } else {
        copy_text(add(plan, STEP_FILE_REMOVE)->name, VOLUME_NAME_BYTES, image->id);
    }
}

void plan_make(enum operation operation, const struct plan_facts *facts, struct plan *plan)
{
    memset(plan, 0, sizeof(*plan));
    switch (operation) {
    case OP_SLICE_PROVISION:
        plan_provision(facts, plan);
        break;
    case OP_SLICE_START:
        plan_start(facts, plan);
        break;
    case OP_SLICE_PAUSE:
    case OP_SLICE_UNPAUSE:
        add(plan, operation == OP_SLICE_PAUSE ? STEP_DOMAIN_PAUSE : STEP_DOMAIN_UNPAUSE);
        plan->forward_from = plan->count;
        break;
    case OP_SLICE_STOP:
        plan_stop(facts, plan);
        break;
    case OP_SLICE_REBOOT:
        plan_reboot(facts, plan);
        break;
    case OP_SLICE_TERMINATE:
        plan_terminate(facts, plan);
        break;
    case OP_SLICE_RESIZE:
        plan_resize(facts, plan);
        break;
    case OP_SNAPSHOT_CREATE:
        if (facts->snapshots->memory.thin_id)
            plan_checkpoint(facts, plan);
        else
            plan_snapshot(facts, plan);
        break;
    case OP_SNAPSHOT_REVERT:
        if (facts->snapshots->memory.thin_id)
            plan_checkpoint_revert(facts, plan);
        else
            plan_revert(facts, plan);
        break;
    case OP_SNAPSHOT_DELETE:
        add_volume(plan, STEP_VOLUME_REMOVE, NULL, NULL, facts->snapshots->thin_id);
        plan_memory_remove(facts->slice, facts->snapshots, plan);
        break;
    case OP_SNAPSHOT_EXPORT:
        plan_export(facts, plan);
        break;
    case OP_IMAGE_FETCH:
        add_import(plan, facts);
        plan->forward_from = plan->count;
        break;
    case OP_IMAGE_DELETE:
        plan_image_delete(facts, plan);
        break;
    case OP_VOLUME_CREATE:
    case OP_VOLUME_ATTACH:
    case OP_VOLUME_DETACH:
    case OP_VOLUME_RESIZE:
    case OP_VOLUME_DELETE:
        plan_of_volume(operation, facts, plan);
        return;
    case OP_NODE_REBOOT:
        add(plan, STEP_NODE_REBOOT);
        break;
    case OP_SLICE_CONSOLE:
    case OP_NODE_REPORT:
    case OP_NODE_DRAIN:
    case OP_REQUEST_CANCEL:
    case OP_COUNT:
        break;
    }
    plan_present_volumes(facts, plan);
}

void plan_free(struct plan *plan)
{
    free(plan->steps);
    memset(plan, 0, sizeof(*plan));
}
