/* What a plan is made of. */
#ifndef SLICENODE_PLAN_STEPS_H
#define SLICENODE_PLAN_STEPS_H

#include "backend/backend.h"
#include "base/ident.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The steps, in the protocol's spelling, and the arguments of each: a member of struct step, or
 * `none`. What each does is in step/. */
#define STEP_KINDS(X)                                                                              \
    X(IMAGE_IMPORT, "image.import", import) /* undo: it and its scratch volume are removed */      \
    X(FILE_IMPORT, "file.import", file)     /* undo: the file is removed */                        \
    X(DISK_CLONE, "disk.clone", clone)      /* undo: the clone is removed */                       \
    X(DISK_ACTIVATE, "disk.activate", disk) /* undo: deactivated, unless it has grown */           \
    X(SEED_WRITE, "seed.write", seed)       /* undo: deactivated, and the first one removed */     \
    X(DOMAIN_START, "domain.start", start)  /* undo: destroyed, the first one with its console */  \
    X(DOMAIN_SHUTDOWN, "domain.shutdown", shutdown)                                                \
    X(DOMAIN_WAIT, "domain.wait", wait) /* then it goes on */                                      \
    X(DOMAIN_DESTROY, "domain.destroy", none)                                                      \
    X(DOMAIN_PAUSE, "domain.pause", none)     /* undo: unpaused */                                 \
    X(DOMAIN_UNPAUSE, "domain.unpause", none) /* undo: paused */                                   \
    X(DOMAIN_VCPUS, "domain.vcpus", change)   /* undo: back to what it was */                      \
    X(DOMAIN_MEMORY, "domain.memory", change) /* likewise, in MiB */                               \
    X(VOLUME_DEACTIVATE, "volume.deactivate", volume)                                              \
    X(VOLUME_REMOVE, "volume.remove", volume)                                                      \
    X(SNAPSHOT_MEASURE, "snapshot.measure", snapshot)                                              \
    X(SNAPSHOT_TAKE, "snapshot.take", snapshot)     /* undo: the snapshot is removed */            \
    X(SNAPSHOT_EXPORT, "snapshot.export", export)   /* undo: deactivated */                        \
    X(MEMORY_SAVE, "memory.save", volume)           /* undo: resumed, the volume removed */        \
    X(CHECKPOINT_TAKE, "checkpoint.take", snapshot) /* of a slice that stands still */             \
    X(DOMAIN_RESUME, "domain.resume", none)                                                        \
    X(MEMORY_CHECK, "memory.check", volume)    /* undo: deactivated */                             \
    X(DOMAIN_RESTORE, "domain.restore", start) /* as domain.start, from the memory's volume */     \
    X(DOMAIN_RUN, "domain.run", none)          /* of what was restored */                          \
    X(DISK_SWAP, "disk.swap", volume)          /* nothing but what the store records */            \
    X(FILE_REMOVE, "file.remove", file)                                                            \
    X(CONSOLE_REMOVE, "console.remove", none)                                                      \
    X(VOLUME_CREATE, "volume.create", volume)     /* undo: removed */                              \
    X(VOLUME_ACTIVATE, "volume.activate", volume) /* undo: deactivated */                          \
    X(DISK_PLUG, "disk.plug", plug)               /* undo: unplugged */                            \
    X(DISK_UNPLUG, "disk.unplug", plug)           /* undo: plugged */                              \
    X(DISK_GROW, "disk.grow", growth)             /* tells a running slice */                      \
    X(NODE_REBOOT, "node.reboot", none) /* ends with the machine: done when it has booted again */

enum step_kind {
#define X(name, text, args) STEP_##name,
    STEP_KINDS(X)
#undef X
        STEP_COUNT
};

/* A volume of the pool as a step meets it. */
struct step_volume {
    char name[VOLUME_NAME_BYTES]; /* device mapper's, while it is active; "" where it never is */
    uint32_t thin_id;
    uint64_t bytes;
};

struct step_import {
    struct step_volume volume; /* `bytes`: the most that the image may have */
    char image[UUID_TEXT_BYTES];
    uint32_t scratch_id; /* 0: it needs no scratch volume */
    enum image_format format;
    bool remains; /* a deletion that failed may have left the image's volume */
};

/* A kernel or ramdisk of the operator's, in a file. */
struct step_file {
    char image[UUID_TEXT_BYTES];
    uint64_t limit_bytes;
    enum image_format format;
};

struct step_clone {
    uint32_t thin_id;
    uint32_t origin_id;
};

struct step_disk {
    struct step_volume volume;
    bool grown; /* a slice may have seen the new size: it stays so */
};

struct step_seed {
    struct step_volume volume;
    bool first; /* its volume is made here */
};

struct step_start {
    uint32_t disk_id;
    uint32_t seed_id;
    bool first;                     /* the console is made here */
    char memory[VOLUME_NAME_BYTES]; /* the volume that it is restored from */
};

struct step_shutdown {
    bool reboot;
};

struct step_wait {
    unsigned seconds; /* at most */
};

struct step_change {
    uint64_t from;
    uint64_t to;
    unsigned wait_seconds;
};

struct step_snapshot {
    struct step_volume origin;
    uint32_t thin_id; /* of the snapshot; 0 where it is only measured */
    bool active;      /* the origin is */
};

struct step_export {
    struct step_volume volume;
    uint32_t since_id; /* what it differs from is sent; 0: all */
};

struct step_plug {
    struct step_volume volume;
    unsigned slot; /* of the slice */
    bool force;    /* also when the slice does not let it go */
};

struct step_growth {
    struct step_volume volume;
    unsigned slot; /* likewise; not of its own disk */
    bool own_disk;
};

struct step {
    enum step_kind kind;
    union {
        struct step_import import;
        struct step_file file;
        struct step_clone clone;
        struct step_disk disk;
        struct step_seed seed;
        struct step_start start;
        struct step_shutdown shutdown;
        struct step_wait wait;
        struct step_change change;
        struct step_volume volume;
        struct step_snapshot snapshot;
        struct step_export export;
        struct step_plug plug;
        struct step_growth growth;
    };
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

/* A new step at the end, empty but for its kind; good until the next one is added. */
struct step *plan_add(struct plan *plan, enum step_kind kind);
/* The same for a kind whose arguments are a volume; its name is volume_name(prefix, id), or none
 * without a prefix. */
struct step *plan_add_volume(struct plan *plan, enum step_kind kind, const char *prefix,
                             const char *id, uint32_t thin_id);
/* A volume with that name. */
struct step_volume step_volume(const char *prefix, const char *id, uint32_t thin_id,
                               uint64_t bytes);
uint64_t plan_disk_bytes(const struct slice *slice);

#endif
