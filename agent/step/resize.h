/* Steps that give a running domain another size. */
#ifndef SLICENODE_STEP_RESIZE_H
#define SLICENODE_STEP_RESIZE_H

#include "base/err.h"
#include "plan/steps.h"
#include "step/context.h"

#include <jansson.h>

int step_domain_resize(const struct step *step, struct step_context *context, json_t *output,
                       struct err *err);
int step_domain_resize_undo(const struct step *step, struct step_context *context, struct err *err);

#endif
