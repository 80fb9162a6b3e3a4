/* The plan as the store keeps it, and back. */
#ifndef SLICENODE_PLAN_DOCUMENT_H
#define SLICENODE_PLAN_DOCUMENT_H

#include "base/err.h"
#include "plan/steps.h"

#include <jansson.h>

json_t *plan_to_json(const struct plan *plan);
int plan_from_json(const json_t *object, struct plan *plan, struct err *err);

#endif
