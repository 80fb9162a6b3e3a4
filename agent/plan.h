/* From a request and what the node knows to an ordered list of idempotent steps. Pure: whoever calls
 * has checked that the request may run and has given every new volume its number. */
#ifndef SLICENODE_PLAN_H
#define SLICENODE_PLAN_H

#include "backend.h"
#include "err.h"
#include "model.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The steps, in the protocol's spelling. What each does is in step.c. */
#define STEP_KINDS(X)                                                                              \
    X(IMAGE_IMPORT, "image.import")       /* `origin_id` scratch or 0; undo: both are removed */   \
    X(FILE_IMPORT, "file.import")         /* undo: the file is removed */                          \
    X(DISK_CLONE, "disk.clone")           /* undo: the clone is removed */                         \
    X(DISK_ACTIVATE, "disk.activate")     /* undo: deactivated; `flag`: grown, and stays so */     \
    X(SEED_WRITE, "seed.write")           /* undo: deactivated, and removed when `flag` */         \
    X(DOMAIN_START, "domain.start")       /* `thin_id` disk, `origin_id` seed; undo: destroyed, */ \
                                          /* and without a console when `flag` */                  \
    X(DOMAIN_SHUTDOWN, "domain.shutdown") /* `flag`: reboot */                                     \
    X(DOMAIN_WAIT, "domain.wait")         /* at most `seconds`, then goes on */                    \
    X(DOMAIN_DESTROY, "domain.destroy")                                                            \
    X(DOMAIN_PAUSE, "domain.pause")     /* undo: unpaused */                                       \
    X(DOMAIN_UNPAUSE, "domain.unpause") /* undo: paused */                                         \
    X(DOMAIN_VCPUS, "domain.vcpus")     /* `from`, `to`; undo: back to `from` */                   \
    X(DOMAIN_MEMORY, "domain.memory")   /* likewise, in MiB */                                     \
    X(VOLUME_DEACTIVATE, "volume.deactivate")                                                      \
    X(VOLUME_REMOVE, "volume.remove")                                                              \
    X(SNAPSHOT_MEASURE, "snapshot.measure") /* `flag`: the origin is active */                     \
    X(SNAPSHOT_TAKE, "snapshot.take")       /* `flag` as above; undo: the snapshot is removed */   \
    X(SNAPSHOT_EXPORT, "snapshot.export")   /* `origin_id`: since; undo: deactivated */            \
    X(MEMORY_SAVE, "memory.save")           /* undo: resumed, the volume removed */                \
    X(CHECKPOINT_TAKE, "checkpoint.take")   /* as snapshot.take, of a slice that stands still */   \
    X(DOMAIN_RESUME, "domain.resume")                                                              \
    X(MEMORY_CHECK, "memory.check")     /* undo: deactivated */                                    \
    X(DOMAIN_RESTORE, "domain.restore") /* as domain.start; `name`: the memory's volume */         \
    X(DOMAIN_RUN, "domain.run")         /* of what was restored */                                 \
    X(DISK_SWAP, "disk.swap")           /* nothing but what the store records */                   \
    X(FILE_REMOVE, "file.remove")                                                                  \
    X(CONSOLE_REMOVE, "console.remove")                                                            \
    X(VOLUME_CREATE, "volume.create")     /* undo: removed */                                      \
    X(VOLUME_ACTIVATE, "volume.activate") /* undo: deactivated */                                  \
    X(DISK_PLUG, "disk.plug")             /* `origin_id`: the slot; undo: unplugged */             \
    X(DISK_UNPLUG, "disk.unplug")         /* likewise; `flag`: by force; undo: plugged */          \
    X(DISK_GROW, "disk.grow")     /* likewise; tells a running slice; `flag`: of its own disk */   \
    X(NODE_REBOOT, "node.reboot") /* ends with the machine: done when it has booted again */

enum step_kind {
#define X(name, text) STEP_##name,
    STEP_KINDS(X)
#undef X
        STEP_COUNT
};

struct step {
    enum step_kind kind;
    char name[VOLUME_NAME_BYTES]; /* device mapper's name of the volume, or the file's */
    uint32_t thin_id;
    uint32_t origin_id;
    uint64_t bytes; /* size, or limit of an import */
    enum image_format format;
    unsigned seconds;
    bool flag;
    uint64_t from; /* of a change of size */
    uint64_t to;
};

struct plan {
    struct step *steps; /* owned */
    size_t count;
    size_t forward_from; /* from this step on nothing is undone: it is carried to the end */
};

struct plan_facts {
    const struct slice *slice;
    const struct image *image;  /* of provision (or snapshots), image.fetch, image.delete */
    bool image_ready;           /* the image is there: nothing to fetch */
    uint64_t image_limit_bytes; /* of an import */
    uint32_t scratch_id;        /* the number of its scratch volume, 0 when the format needs none */
    const struct snapshot *snapshots; /* terminate: all of the slice's; else the one concerned */
    size_t snapshot_count;
    uint32_t new_disk_id;         /* revert: the number of the disk that replaces the old one */
    bool domain;                  /* the slice has a domain, running or not */
    bool shut_down;               /* ... which has shut down already */
    bool paused;                  /* ... which is paused */
    const struct volume *volumes; /* of a slice: all that are attached; else the one concerned */
    size_t volume_count;
    uint64_t size_gib;            /* volume.resize: of the volume from now on */
    bool force;                   /* volume.detach */
    const struct snapshot *since; /* export: NULL for the whole disk */
    struct stop_args stop;
    struct resize_args resize;
};

/* Makes the plan of `operation`; operations without work for the backend get an empty one. */
void plan_make(enum operation operation, const struct plan_facts *facts, struct plan *plan);
void plan_free(struct plan *plan);

const char *step_name(enum step_kind kind);

/* Whether neither going through the plan nor undoing it takes more than the pool of volumes. */
bool plan_is_of_pool(const struct plan *plan);

/* Whether the store has taken over what the step was for: when it is done, what lies before it is
 * not undone, also when a later step fails. */
bool step_is_final(enum step_kind kind);

/* plan_checkpoint.c: the plans of snapshots with memory. plan_memory_remove adds what removes that of
 * one, if it has any. */
void plan_checkpoint(const struct plan_facts *facts, struct plan *plan);
void plan_checkpoint_revert(const struct plan_facts *facts, struct plan *plan);
void plan_memory_remove(const struct slice *slice, const struct snapshot *snapshot,
                        struct plan *plan);

/* The plan as the store keeps it, and back. */
json_t *plan_to_json(const struct plan *plan);
int plan_from_json(const json_t *object, struct plan *plan, struct err *err);

/* plan_volume.c: the plans of volumes, and what a slice's plan does with those attached to it. */
void plan_of_volume(enum operation operation, const struct plan_facts *facts, struct plan *plan);
void plan_present_volumes(const struct plan_facts *facts, struct plan *plan);

/* Names of a slice's and an image's volumes while they are active. */
void volume_name(char name[static VOLUME_NAME_BYTES], const char *prefix, const char *id);

#endif
