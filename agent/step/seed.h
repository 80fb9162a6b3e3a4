/* The NoCloud seed of a slice: an ISO 9660 image with the volume id `cidata` that cloud-init
 * reads at first boot. Pure and deterministic: the same slice gives the same bytes. */
#ifndef SLICENODE_STEP_SEED_H
#define SLICENODE_STEP_SEED_H

#include "base/err.h"
#include "model/nic.h"
#include "model/slice.h"

#include <stddef.h>

/* The image's length is a multiple of this. */
#define SEED_BLOCK_BYTES 2048

/* No seed is longer; the volume for one can be made this large beforehand. */
#define SEED_LIMIT_BYTES (1u << 20)

/* Builds the image; the caller frees it. Fails only with invalid_argument. */
int seed_build(const struct slice *slice, void **image, size_t *length, struct err *err);

#endif
