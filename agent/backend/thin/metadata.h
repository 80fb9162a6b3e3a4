/* The pool's metadata: struct storage's functions of that name. */
#ifndef SLICENODE_BACKEND_THIN_METADATA_H
#define SLICENODE_BACKEND_THIN_METADATA_H

#include "backend/backend.h"
#include "base/err.h"

/* struct storage's `list`. */
int be_thin_list(void *state, uint32_t **thin_ids, size_t *count, struct err *err);
int be_thin_metadata_open(void *state, struct pool_metadata *metadata, struct err *err);
int be_thin_metadata_close(void *state, struct pool_metadata *metadata, struct err *err);

#endif
