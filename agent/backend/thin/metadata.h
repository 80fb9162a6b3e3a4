/* The pool's metadata: struct storage's functions of that name. */
#ifndef SLICENODE_BACKEND_THIN_METADATA_H
#define SLICENODE_BACKEND_THIN_METADATA_H

#include "backend/backend.h"
#include "base/err.h"

int be_thin_metadata_open(void *state, struct pool_metadata *metadata, struct err *err);
int be_thin_metadata_close(void *state, struct pool_metadata *metadata, struct err *err);

#endif
