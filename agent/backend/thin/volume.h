/* The real storage: volumes of a device mapper thin pool. */
#ifndef SLICENODE_BACKEND_THIN_VOLUME_H
#define SLICENODE_BACKEND_THIN_VOLUME_H

#include "backend/backend.h"
#include "base/err.h"

/* `pool_name` is the pool's device mapper name; LVM's spelling of it with "-tpool" is found as
 * well. The pool itself is looked up at each call, so that a worker may outlive its
 * reactivation. */
int be_thin_open(struct storage *storage, const char *pool_name, struct err *err);

#endif
