/* A disk of this machine: what is known of it (facts), and what may be done with it (verdict). */
#ifndef SLICENODE_DISKS_DISK_H
#define SLICENODE_DISKS_DISK_H

#include <stdbool.h>
#include <stdint.h>

/* A chassis holds some hundred disks; what is beyond is named in the log and left alone. */
#define DISKS_MAX 256
#define DISK_NAME_BYTES 32
#define DISK_TEXT_BYTES 128
#define DISK_REASON_BYTES 320

/* In the first sector, which LVM leaves alone. */
enum disk_mark {
    MARK_NONE,
    MARK_HALF_MADE, /* being made ours: nothing was ever kept on it */
    MARK_LABEL      /* ours: `label_identity` says which disk that was, `label_node` whose */
};

/* How the reading of a disk ended. Only READ_DONE says anything about what is on it. */
enum disk_read { READ_NOT, READ_DONE, READ_FAILED };

struct disk_content {
    enum disk_read read;
    bool zeros;           /* nothing but zeros wherever a signature can be */
    bool medium;          /* a boot medium of Slicenode */
    bool physical_volume; /* of LVM */
    enum disk_mark mark;
    char failure[DISK_TEXT_BYTES]; /* why it could not be read */
    char found[DISK_TEXT_BYTES]; /* in words: "ext4 labelled customer"; "" when nothing is known */
    char volume_uuid[48];        /* of the physical volume */
    char label_identity[DISK_TEXT_BYTES];
    char label_node[40]; /* UUID of the node; "" when it is not known */
};

/* What LVM says of a physical volume. */
struct disk_group {
    bool known;                 /* LVM was asked and answered for this disk */
    char name[DISK_TEXT_BYTES]; /* "" for a physical volume without a group */
    char uuid[48];
    char tags[DISK_TEXT_BYTES];
    unsigned volumes; /* logical ones */
    unsigned missing;
    uint64_t group_mib;
    uint64_t volume_bytes;         /* what the group uses of the disk */
    char failure[DISK_TEXT_BYTES]; /* why it is not known */
};

enum disk_state {
    DISK_CLAIMED,
    DISK_FOREIGN,
    DISK_UNREADABLE,
    DISK_DUPLICATE,
    DISK_MEDIUM,
    DISK_FAILED,
    DISK_TOO_SMALL,
    DISK_READONLY,
    DISK_UNUSED,
    DISK_STATE_COUNT
};

enum disk_action {
    ACTION_NONE,
    ACTION_USE,   /* is in the group */
    ACTION_TAKE,  /* is blank */
    ACTION_WIPE,  /* is named with :wipe */
    ACTION_REMAKE /* power was cut while it was made ours */
};

struct disk {
    char name[DISK_NAME_BYTES]; /* as in /sys/block, with '/' for '!' */
    uint64_t size_bytes;
    unsigned sector_bytes; /* logical */
    bool read_only;
    bool removable;  /* or on USB */
    bool in_use;     /* mounted, or part of another device */
    bool sequential; /* zones that are written in order alone (host-managed SMR) */
    char model[DISK_TEXT_BYTES];
    char serial[DISK_TEXT_BYTES];   /* what slicenode.disk=serial= names */
    char identity[DISK_TEXT_BYTES]; /* the same on every path to the disk; "" when it tells none */
    struct disk_content content;
    struct disk_group group;

    enum disk_state state;
    enum disk_action action;
    char reason[DISK_REASON_BYTES];
    bool ambiguous; /* one of several copies, and nobody can tell which is the original */
    bool copy;      /* of a disk that is known to be the original */
};

/* Sets the state and, printf-like, the reason; nothing is to be done with the disk. */
void disk_judge(struct disk *disk, enum disk_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The protocol's word for a state. */
const char *disk_state_name(enum disk_state state);

#endif
