#include "plan/steps.h"

#include "backend/backend.h"
#include "base/memory.h"
#include "model/nic.h"
#include "model/slice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void volume_name(char name[static VOLUME_NAME_BYTES], const char *prefix, const char *id)
{
    snprintf(name, VOLUME_NAME_BYTES, "%s-%s", prefix, id);
}

const char *step_name(enum step_kind kind)
{
    static const char *const names[] = {
#define X(name, text, args) text,
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

void plan_free(struct plan *plan)
{
    free(plan->steps);
    memset(plan, 0, sizeof(*plan));
}

uint64_t plan_disk_bytes(const struct slice *slice)
{
    return slice->disk_gib * GIB;
}

struct step_volume step_volume(const char *prefix, const char *id, uint32_t thin_id, uint64_t bytes)
{
    struct step_volume volume = {.thin_id = thin_id, .bytes = bytes};
    if (prefix)
        volume_name(volume.name, prefix, id);
    return volume;
}

struct step *plan_add(struct plan *plan, enum step_kind kind)
{
    plan->steps = xrealloc(plan->steps, (plan->count + 1) * sizeof(*plan->steps));
    struct step *step = &plan->steps[plan->count++];
    memset(step, 0, sizeof(*step));
    step->kind = kind;
    return step;
}

struct step *plan_add_volume(struct plan *plan, enum step_kind kind, const char *prefix,
                             const char *id, uint32_t thin_id)
{
    struct step *step = plan_add(plan, kind);
    step->volume = step_volume(prefix, id, thin_id, 0);
    return step;
}
