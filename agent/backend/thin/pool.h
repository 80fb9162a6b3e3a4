/* The pool by its name. */
#ifndef SLICENODE_BACKEND_THIN_POOL_H
#define SLICENODE_BACKEND_THIN_POOL_H

#include "backend/backend.h"
#include "backend/thin/device_mapper.h"
#include "base/err.h"

struct be_thin {
    char pool[VOLUME_PATH_BYTES];
};

/* Finds the pool under its own name or the one LVM gives it once it knows volumes of its own. */
int be_thin_find_pool(const struct be_thin *thin, char name[static VOLUME_PATH_BYTES],
                      struct mapper_device *pool, struct err *err);

#endif
