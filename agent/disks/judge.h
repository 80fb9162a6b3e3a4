/* What may be done with each disk of the machine, from what is known of it. Pure. The rule above
 * all others: nothing is written to a disk that is not blank, ours, or named with ":wipe"; what
 * is not known for certain is left untouched. */
#ifndef SLICENODE_DISKS_JUDGE_H
#define SLICENODE_DISKS_JUDGE_H

#include "disks/rules.h"

#define GROUP_NAME "slicenode"
/* On a group that is being made: until it is off, nothing was ever kept in the group. */
#define GROUP_TAG_SETUP "setup"
/* On a whole group: the chunks of its pool, when they are not of 64 KiB. */
#define GROUP_TAG_CHUNK "chunk_kib="
/* On a group whose volumes are kept on two disks each. */
#define GROUP_TAG_MIRROR "mirror"

/* What is wrong with the storage as a whole, whatever its disks are. */
struct storage_verdict {
    enum err_code code; /* ERR_NONE: it can be brought up */
    char message[2 * DISK_REASON_BYTES];
    char group_uuid[48]; /* of the group that is there; "" when none is */
    uint64_t group_mib;
    unsigned chunk_kib; /* of its pool */
    unsigned missing;
    bool setup;          /* the group was left half made */
    bool mirrored;       /* or is to be: with one disk missing it goes on */
    uint64_t mirror_mib; /* the smaller of its disks */
    bool not_mirrored;   /* the parameter says mirror, the group was made without */
    char node[40];       /* UUID of the node that a disk was labelled for; "" */
};

/* Sets state, action and reason of each disk that has none yet, and what becomes of the whole. */
void judge_disks(struct disk *disks, unsigned count, struct disk_rules *rules,
                 struct storage_verdict *verdict);

#endif
