#include "plan/image.h"

#include "base/ident.h"
#include "base/text.h"
#include "model/image.h"
#include "plan/facts.h"
#include "plan/steps.h"

void plan_add_import(struct plan *plan, const struct plan_facts *facts)
{
    const struct image *image = facts->image;
    if (image->kind == IMAGE_DISK) {
        struct step_import *import = &plan_add(plan, STEP_IMAGE_IMPORT)->import;
        *import = (struct step_import){
            .volume = step_volume("image", image->id, image->thin_id, facts->image_limit_bytes),
            .scratch_id = facts->scratch_id,
            .format = image->format,
            .remains = facts->image_remains};
        copy_text(import->image, sizeof(import->image), image->id);
    } else {
        struct step_file *file = &plan_add(plan, STEP_FILE_IMPORT)->file;
        *file =
            (struct step_file){.limit_bytes = facts->image_limit_bytes, .format = image->format};
        copy_text(file->image, sizeof(file->image), image->id);
    }
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
        copy_text(plan_add(plan, STEP_FILE_REMOVE)->file.image, UUID_TEXT_BYTES, image->id);
    }
}
