/* What the node knows when it makes a plan. */
#ifndef SLICENODE_PLAN_FACTS_H
#define SLICENODE_PLAN_FACTS_H

#include "model/arguments.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "model/volume.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plan_facts {
    const struct slice *slice;
    const struct image *image;  /* of provision (or snapshots), image.fetch, image.delete */
    bool image_ready;           /* the image is there: nothing to fetch */
    uint64_t image_limit_bytes; /* of an import */
    bool image_remains;         /* of an import: a deletion that failed may have left its volume */
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

#endif
