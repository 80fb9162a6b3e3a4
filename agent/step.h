/* What each step of a plan does with the backend. Runs in a worker process; may block. Every step
 * may run again after it was cut off anywhere. */
#ifndef SLICENODE_STEP_H
#define SLICENODE_STEP_H

#include "backend.h"
#include "plan.h"
#include "transfer_export.h"

#include <jansson.h>

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
    int output;                       /* that it is written into; -1 for none */
    /* Reports how far an import is; `mapped_bytes` of the pool are written so far. */
    void (*progress)(void *argument, int percent, uint64_t mapped_bytes);
    void *argument;
};

/* Puts into the object `output` what the parent must record: size_bytes, mapped_bytes, domain_id,
 * forced, now. */
int step_run(const struct step *step, struct step_context *context, json_t *output,
             struct err *err);

/* Takes back what the step may have done, wholly or in part. */
int step_undo(const struct step *step, struct step_context *context, struct err *err);

/* Of step_volume.c, step_image.c, step_domain.c and step_node.c. */
int step_image_import(const struct step *step, struct step_context *context, json_t *output,
                      struct err *err);
int step_image_undo(const struct step *step, struct step_context *context, struct err *err);
int step_file_import(const struct step *step, struct step_context *context, json_t *output,
                     struct err *err);
int step_file_remove(const struct step *step, struct step_context *context, struct err *err);
int step_seed_write(const struct step *step, struct step_context *context, struct err *err);
int step_snapshot_measure(const struct step *step, struct step_context *context, json_t *output,
                          struct err *err);
/* Deactivates what step_snapshot_take looks at. */
int step_snapshot_hide(struct step_context *context, struct err *err);
int step_snapshot_take(const struct step *step, struct step_context *context, json_t *output,
                       struct err *err);
int step_snapshot_export(const struct step *step, struct step_context *context, json_t *output,
                         struct err *err);
int step_export_undo(const struct step *step, struct step_context *context, struct err *err);
int step_domain_start(const struct step *step, struct step_context *context, json_t *output,
                      struct err *err);
int step_domain_resize(const struct step *step, struct step_context *context, json_t *output,
                       struct err *err);
int step_domain_resize_undo(const struct step *step, struct step_context *context, struct err *err);
/* Of step_checkpoint.c. */
int step_memory_save(const struct step *step, struct step_context *context, json_t *output,
                     struct err *err);
int step_memory_undo(const struct step *step, struct step_context *context, struct err *err);
int step_checkpoint_take(const struct step *step, struct step_context *context, json_t *output,
                         struct err *err);
int step_domain_resume(struct step_context *context, struct err *err);
int step_memory_check(const struct step *step, struct step_context *context, struct err *err);
int step_domain_run(struct step_context *context, json_t *output, struct err *err);
int step_domain_restore_undo(const struct step *step, struct step_context *context,
                             struct err *err);
int step_domain_shutdown(const struct step *step, struct step_context *context, struct err *err);
int step_domain_wait(const struct step *step, struct step_context *context, json_t *output,
                     struct err *err);
int step_node_reboot(struct step_context *context, struct err *err);

/* Of step_disk.c. The disk's volume is activated and deactivated with it. */
int step_disk_plug(const struct step *step, struct step_context *context, struct err *err);
int step_disk_unplug(const struct step *step, struct step_context *context, bool force,
                     struct err *err);
int step_disk_grow(const struct step *step, struct step_context *context, struct err *err);
/* The attached volumes, which are active, as a new domain sees them; `paths` holds their paths. */
int step_disks_find(struct step_context *context,
                    struct domain_disk disks[static SLICE_VOLUMES_MAX],
                    char paths[static SLICE_VOLUMES_MAX][VOLUME_PATH_BYTES], struct err *err);

#endif
