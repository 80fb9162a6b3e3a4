/* Steps of snapshots with memory. */
#ifndef SLICENODE_STEP_CHECKPOINT_H
#define SLICENODE_STEP_CHECKPOINT_H

#include "base/err.h"
#include "plan/steps.h"
#include "step/context.h"

#include <jansson.h>

int step_memory_save(const struct step *step, struct step_context *context, json_t *output,
                     struct err *err);
int step_memory_undo(const struct step *step, struct step_context *context, struct err *err);
int step_checkpoint_take(const struct step *step, struct step_context *context, json_t *output,
                         struct err *err);
int step_domain_resume(struct step_context *context, struct err *err);
int step_memory_check(const struct step *step, struct step_context *context, struct err *err);
int step_domain_run(struct step_context *context, json_t *output, struct err *err);
int step_domain_restore_undo(const struct step *step, struct step_context *context,
                             struct err *err);

#endif
