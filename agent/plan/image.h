/* The plans of images. plan_add_import adds what brings the image of the facts. */
#ifndef SLICENODE_PLAN_IMAGE_H
#define SLICENODE_PLAN_IMAGE_H

#include "plan/facts.h"
#include "plan/steps.h"

void plan_add_import(struct plan *plan, const struct plan_facts *facts);
void plan_image_fetch(const struct plan_facts *facts, struct plan *plan);
void plan_image_delete(const struct plan_facts *facts, struct plan *plan);

#endif
