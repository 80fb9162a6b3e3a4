#include "plan/plan.h"

#include "model/request.h"
#include "plan/checkpoint.h"
#include "plan/facts.h"
#include "plan/image.h"
#include "plan/slice.h"
#include "plan/snapshot.h"
#include "plan/steps.h"
#include "plan/volume.h"

#include <string.h>

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
        plan_add(plan, operation == OP_SLICE_PAUSE ? STEP_DOMAIN_PAUSE : STEP_DOMAIN_UNPAUSE);
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
        plan_add_volume(plan, STEP_VOLUME_REMOVE, NULL, NULL, facts->snapshots->thin_id);
        plan_memory_remove(facts->slice, facts->snapshots, plan);
        break;
    case OP_SNAPSHOT_EXPORT:
        plan_export(facts, plan);
        break;
    case OP_IMAGE_FETCH:
        plan_add_import(plan, facts);
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
        plan_add(plan, STEP_NODE_REBOOT);
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
