/* Disks of a running slice. The disk's volume is activated and deactivated with it. */
#ifndef SLICENODE_STEP_DISK_H
#define SLICENODE_STEP_DISK_H

#include "backend/backend.h"
#include "base/err.h"
#include "model/volume.h"
#include "plan/steps.h"
#include "step/context.h"

#include <stdbool.h>

int step_disk_plug(const struct step *step, struct step_context *context, struct err *err);
int step_disk_unplug(const struct step *step, struct step_context *context, bool force,
                     struct err *err);
int step_disk_grow(const struct step *step, struct step_context *context, struct err *err);
/* The attached volumes, which are active, as a new domain sees them; `paths` holds their paths. */
int step_disks_find(struct step_context *context,
                    struct domain_disk disks[static SLICE_VOLUMES_MAX],
                    char paths[static SLICE_VOLUMES_MAX][VOLUME_PATH_BYTES], struct err *err);

#endif
