/* What a step has to work with. */
#ifndef SLICENODE_STEP_CONTEXT_H
#define SLICENODE_STEP_CONTEXT_H

#include "backend/backend.h"
#include "model/export.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "model/volume.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct node_paths {
    const char *libexec;     /* sliced-net and sliced-import */
    const char *kernels_dir; /* the operator's kernels and ramdisks, by image id */
    const char *console_dir; /* guest-<slice>.log */
    const char *grub_dir;    /* pvgrub's images */
};

struct step_context {
    struct backend *backend;
    struct node_paths paths;
    const struct slice *slice;    /* NULL for requests without one */
    const struct image *image;    /* NULL likewise */
    const struct volume *volumes; /* attached to the slice, by slot */
    size_t volume_count;
    const char *ca;                   /* the controller's, for images; NULL for none */
    const struct export_args *export; /* of snapshot.export; NULL likewise */
    const struct snapshot *snapshot;  /* that is exported or reverted to; NULL for others */
    bool begun;                       /* the step at hand may have been begun before */
    bool foreign;                     /* it found what is not its own: nothing is to be undone */
    int output;                       /* that it is written into; -1 for none */
    /* Reports how far an import is; `mapped_bytes` of the pool are written so far. */
    void (*progress)(void *argument, int percent, uint64_t mapped_bytes);
    void *argument;
};

#endif
