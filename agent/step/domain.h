/* Steps that start and stop domains. */
#ifndef SLICENODE_STEP_DOMAIN_H
#define SLICENODE_STEP_DOMAIN_H

#include "base/err.h"
#include "plan/steps.h"
#include "step/context.h"

#include <jansson.h>

int step_domain_start(const struct step *step, struct step_context *context, json_t *output,
                      struct err *err);
int step_domain_shutdown(const struct step *step, struct step_context *context, struct err *err);
int step_domain_wait(const struct step *step, struct step_context *context, json_t *output,
                     struct err *err);

#endif
