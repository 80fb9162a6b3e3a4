/* Reads from the backend and the store what admission and the heartbeat must know. */
#ifndef SLICENODE_CAPACITY_CAPACITY_H
#define SLICENODE_CAPACITY_CAPACITY_H

#include "backend/backend.h"
#include "backend/open.h"
#include "base/err.h"
#include "capacity/admit.h"
#include "store/store.h"

/* Fills `capacity`, promises summed without the slice `except` (NULL: with all). `known_memory_mib`
 * is what an earlier call found as memory for slices; it is used while domains are being built,
 * when free memory and the list of domains do not fit each other, and is 0 otherwise. */
int capacity_read(struct backend *backend, struct store *store, const char *except,
                  uint64_t known_memory_mib, struct capacity *capacity, struct err *err);

#endif
