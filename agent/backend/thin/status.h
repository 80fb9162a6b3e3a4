/* What the kernel says of a pool. */
#ifndef SLICENODE_BACKEND_THIN_STATUS_H
#define SLICENODE_BACKEND_THIN_STATUS_H

#include "backend/backend.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* What the kernel says of a pool (the parameters of its status line) as numbers. Pure; refuses
 * what it does not understand. `sectors_per_block` is from the pool's table. */
int be_thin_parse_status(const char *status, uint64_t sectors_per_block, struct pool_usage *usage,
                         struct err *err);

/* Whether a mirror (the status line of dm-raid,
 * Documentation/admin-guide/device-mapper/dm-raid.rst) has lost one of its devices; one that is
 * being filled has not. Pure. */
bool be_thin_mirror_degraded(const char *status);

#endif
