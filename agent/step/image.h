/* Steps that bring or remove images. */
#ifndef SLICENODE_STEP_IMAGE_H
#define SLICENODE_STEP_IMAGE_H

#include "base/err.h"
#include "plan/steps.h"
#include "step/context.h"

#include <jansson.h>

int step_image_import(const struct step *step, struct step_context *context, json_t *output,
                      struct err *err);
int step_image_undo(const struct step *step, struct step_context *context, struct err *err);
int step_file_import(const struct step *step, struct step_context *context, json_t *output,
                     struct err *err);
int step_file_remove(const struct step *step, struct step_context *context, struct err *err);

#endif
