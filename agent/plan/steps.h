/* What a plan is made of. */
#ifndef SLICENODE_PLAN_STEPS_H
#define SLICENODE_PLAN_STEPS_H

#include "backend/backend.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The steps, in the protocol's spelling. What each does is in step/. */
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

void plan_free(struct plan *plan);

const char *step_name(enum step_kind kind);

/* Whether neither going through the plan nor undoing it takes more than the pool of volumes. */
bool plan_is_of_pool(const struct plan *plan);

/* Whether the store has taken over what the step was for: when it is done, what lies before it is
 * not undone, also when a later step fails. */
bool step_is_final(enum step_kind kind);

/* Names of a slice's and an image's volumes while they are active. */
void volume_name(char name[static VOLUME_NAME_BYTES], const char *prefix, const char *id);

/* A new step, empty but for its kind, at that place or at the end; good until the next one is added. */
struct step *plan_insert(struct plan *plan, size_t at, enum step_kind kind);
struct step *plan_add(struct plan *plan, enum step_kind kind);
/* The same of a volume; its name is volume_name(prefix, id), or none without a prefix. */
struct step *plan_add_volume(struct plan *plan, enum step_kind kind, const char *prefix,
                             const char *id, uint32_t thin_id);
uint64_t plan_disk_bytes(const struct slice *slice);

#endif
