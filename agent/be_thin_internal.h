/* What the files of be_thin share. */
#ifndef SLICENODE_BE_THIN_INTERNAL_H
#define SLICENODE_BE_THIN_INTERNAL_H

#include "backend.h"
#include "be_thin_task.h"

struct be_thin {
    char pool[VOLUME_PATH_BYTES];
};

/* Finds the pool under its own name or the one LVM gives it once it knows volumes of its own. */
int be_thin_find_pool(const struct be_thin *thin, char name[static VOLUME_PATH_BYTES],
                      struct mapper_device *pool, struct err *err);

/* be_thin_metadata.c: storage's functions of that name. */
int be_thin_metadata_open(void *state, struct pool_metadata *metadata, struct err *err);
int be_thin_metadata_close(void *state, struct pool_metadata *metadata, struct err *err);

#endif
