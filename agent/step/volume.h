/* Steps on volumes. */
#ifndef SLICENODE_STEP_VOLUME_H
#define SLICENODE_STEP_VOLUME_H

#include "base/err.h"
#include "plan/steps.h"
#include "step/context.h"

#include <jansson.h>

int step_seed_write(const struct step *step, struct step_context *context, struct err *err);
int step_snapshot_measure(const struct step *step, struct step_context *context, json_t *output,
                          struct err *err);
/* Deactivates what step_snapshot_take looks at. */
int step_snapshot_hide(struct step_context *context, struct err *err);
int step_snapshot_take(const struct step *step, struct step_context *context, json_t *output,
                       struct err *err);

#endif
