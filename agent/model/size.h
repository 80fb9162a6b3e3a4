/* A slice's size as its next domain has it. */
#ifndef SLICENODE_MODEL_SIZE_H
#define SLICENODE_MODEL_SIZE_H

#include "model/nic.h"
#include "model/slice.h"

/* What the next domain of a slice is built with. */
struct domain_size slice_size(const struct slice *slice);
/* So that a domain made of it from now on has that size. */
void slice_set_size(struct slice *slice, const struct domain_size *size);

#endif
