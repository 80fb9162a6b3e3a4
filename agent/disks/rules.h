/* What slicenode.disk allows: `auto`, `none` or words that name disks (docs/boot.md). */
#ifndef SLICENODE_DISKS_RULES_H
#define SLICENODE_DISKS_RULES_H

#include "base/err.h"
#include "disks/disk.h"

#define RULES_MAX 64

struct disk_rule {
    char word[2 * DISK_NAME_BYTES + DISK_TEXT_BYTES]; /* "/dev/sda" or "serial=X" */
    bool wipe;
    bool seen; /* names a disk that is there */
};

struct disk_rules {
    bool none;
    bool mirror;
    unsigned count; /* 0: all disks (auto) */
    struct disk_rule rule[RULES_MAX];
};

/* Reads the parameter's value, which slicenode-conf has checked; "" is auto. What it cannot take is
 * an error: then no disk may be touched. */
int rules_parse(const char *value, struct disk_rules *rules, struct err *err);

struct disk_naming {
    bool named;
    bool wipe;
};

/* Whether a disk is named, and with :wipe. Notes the rules that name it as seen. */
struct disk_naming rules_find(struct disk_rules *rules, const struct disk *disk);

#endif
