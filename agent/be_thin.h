/* The real storage: volumes of a device mapper thin pool. */
#ifndef SLICENODE_BE_THIN_H
#define SLICENODE_BE_THIN_H

#include "backend.h"
#include "err.h"

/* `pool_name` is the pool's device mapper name; LVM's spelling of it with "-tpool" is found as well.
 * The pool itself is looked up at each call, so that a worker may outlive its reactivation. */
int be_thin_open(struct storage *storage, const char *pool_name, struct err *err);

/* What the kernel says of a pool (the parameters of its status line) as numbers. Pure; refuses
 * what it does not understand. `sectors_per_block` is from the pool's table. */
int be_thin_parse_status(const char *status, uint64_t sectors_per_block, struct pool_usage *usage,
                         struct err *err);

#endif
