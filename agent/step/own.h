/* Whose a new volume is. Only a step that may have been begun before, by a worker that died or in
 * an earlier try, may find the volume that it makes; for any other it is somebody's. */
#ifndef SLICENODE_STEP_OWN_H
#define SLICENODE_STEP_OWN_H

#include "base/err.h"
#include "step/context.h"

#include <stdint.h>

/* As the backend's calls. When the volume is there and is not this step's, it is left as it is, and
 * `foreign` is set in the context: the step must not be undone then. */
int own_create(struct step_context *context, uint32_t thin_id, struct err *err);
int own_snapshot(struct step_context *context, uint32_t origin_id, const char *origin_name,
                 uint32_t thin_id, uint64_t *mapped, struct err *err);

/* Removes what an earlier try of this step may have left of a volume that is to be made anew. */
int own_remove_remains(struct step_context *context, uint32_t thin_id, struct err *err);

#endif
