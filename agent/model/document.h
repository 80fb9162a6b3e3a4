/* The whole slice as the store keeps it, and back. */
#ifndef SLICENODE_MODEL_DOCUMENT_H
#define SLICENODE_MODEL_DOCUMENT_H

#include "base/err.h"
#include "model/nic.h"
#include "model/slice.h"

#include <jansson.h>

json_t *slice_to_store(const struct slice *slice);
int slice_from_store(const json_t *object, struct slice *slice, struct err *err);

#endif
