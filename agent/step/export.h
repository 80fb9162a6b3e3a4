/* The step that sends a snapshot. */
#ifndef SLICENODE_STEP_EXPORT_H
#define SLICENODE_STEP_EXPORT_H

#include "base/err.h"
#include "plan/steps.h"
#include "step/context.h"

#include <jansson.h>

int step_snapshot_export(const struct step *step, struct step_context *context, json_t *output,
                         struct err *err);
int step_export_undo(const struct step *step, struct step_context *context, struct err *err);

#endif
