/* The child's side of a worker: walks through the plan, asking the parent before each step. */
#ifndef SLICENODE_STEP_WORKER_H
#define SLICENODE_STEP_WORKER_H

#include "backend/open.h"
#include "model/export.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "model/volume.h"
#include "plan/steps.h"
#include "step/context.h"

#include <stdbool.h>
#include <stddef.h>

/* What some operations need beyond the slice, the image and the volumes. */
struct worker_more {
    bool has_export;
    struct export_args export;
    bool has_snapshot; /* that is exported or reverted to */
    struct snapshot snapshot;
};

struct worker_job {
    const struct plan *plan;
    bool undoing;
    unsigned step;
    bool resumed;        /* `step` may have been begun by an earlier worker */
    struct slice *slice; /* NULL for none */
    struct image *image;
    struct volume *volumes; /* attached to the slice */
    size_t volume_count;
    int output; /* that an export is written into; -1 for none */
    struct worker_more more;
    const char *ca;
    struct backend_options backend;
    struct node_paths paths;
    int lock; /* of the state folder, held by each worker as well */
};

/* Runs in the child, never returns. */
void worker_run(const struct worker_job *job, int socket) __attribute__((noreturn));

#endif
