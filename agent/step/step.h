/* What each step of a plan does with the backend. Runs in a worker process; may block. Every step
 * may run again after it was cut off anywhere. */
#ifndef SLICENODE_STEP_STEP_H
#define SLICENODE_STEP_STEP_H

#include "base/err.h"
#include "plan/steps.h"
#include "step/context.h"

#include <jansson.h>

/* Puts into the object `output` what the parent must record: size_bytes, mapped_bytes, domain_id,
 * forced, now. */
int step_run(const struct step *step, struct step_context *context, json_t *output,
             struct err *err);

/* Takes back what the step may have done, wholly or in part. */
int step_undo(const struct step *step, struct step_context *context, struct err *err);

#endif
