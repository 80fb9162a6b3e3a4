/* When a node's resources run low: levels with names, and what to tell the operator. Pure.
 *
 * Each function takes the level of the last look and gives the present one. A level is entered
 * at its bound and left only some way below it, so that a value at the bound does not make news
 * each time. */
#ifndef SLICENODE_CAPACITY_HEALTH_H
#define SLICENODE_CAPACITY_HEALTH_H

#include "backend/backend.h"
#include "base/err.h"

#include <stdint.h>

enum health_level { HEALTH_GOOD, HEALTH_LOW, HEALTH_FULL, HEALTH_BROKEN };

/* From these shares on the controller is told, that is before admission refuses (admit.h). */
#define HEALTH_DATA_LOW_PERCENT 85
#define HEALTH_METADATA_LOW_PERCENT 75

/* The state volume: below LOW the operator is told; below FULL the reserve is used. */
#define HEALTH_STATE_LOW_BYTES (48ull << 20)
#define HEALTH_STATE_FULL_BYTES (3ull << 20)

/* What dom0 should have left for its backends and the work on images. */
#define HEALTH_MEMORY_LOW_KIB (40ull << 10)

/* The text stays the same while the level does. `problem` is filled unless the level is good. */
enum health_level health_data(const struct pool_usage *pool, enum health_level before,
                              struct err *problem);
enum health_level health_metadata(const struct pool_usage *pool, enum health_level before,
                                  struct err *problem);
enum health_level health_mirror(const struct pool_usage *pool, struct err *problem);
enum health_level health_state(uint64_t free_bytes, enum health_level before, struct err *problem);
enum health_level health_memory(uint64_t available_kib, enum health_level before,
                                struct err *problem);

#endif
