#include "plan/image.h"

#include "backend/backend.h"
#include "base/text.h"
#include "model/image.h"
#include "plan/facts.h"
#include "plan/steps.h"

void plan_add_import(struct plan *plan, const struct plan_facts *facts)
{
    const struct image *image = facts->image;
    struct step *step;
    if (image->kind == IMAGE_DISK) {
        step = plan_add_volume(plan, STEP_IMAGE_IMPORT, "image", image->id, image->thin_id);
    } else {
        step = plan_add(plan, STEP_FILE_IMPORT);
        copy_text(step->name, sizeof(step->name), image->id);
    }
    step->bytes = facts->image_limit_bytes;
    step->origin_id = facts->scratch_id;
    step->format = image->format;
}

void plan_image_fetch(const struct plan_facts *facts, struct plan *plan)
{
    plan_add_import(plan, facts);
    plan->forward_from = plan->count;
}

void plan_image_delete(const struct plan_facts *facts, struct plan *plan)
{
    const struct image *image = facts->image;
    if (image->kind == IMAGE_DISK) {
        plan_add_volume(plan, STEP_VOLUME_DEACTIVATE, "image", image->id, image->thin_id);
        plan_add_volume(plan, STEP_VOLUME_REMOVE, NULL, NULL, image->thin_id);
    } else {
        copy_text(plan_add(plan, STEP_FILE_REMOVE)->name, VOLUME_NAME_BYTES, image->id);
    }
}
