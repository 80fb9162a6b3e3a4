#include "disks/duplicates.h"

#include <string.h>

static bool same_content(const struct disk_content *a, const struct disk_content *b)
{
    return a->zeros == b->zeros && a->mark == b->mark && strcmp(a->found, b->found) == 0 &&
           strcmp(a->volume_uuid, b->volume_uuid) == 0;
}

/* Two paths to one disk: drives that tell the same name, size and content. One that could not be
 * read by one of its paths is the same by its name alone. */
static bool same_disk(const struct disk *a, const struct disk *b)
{
    if (!a->identity[0] || strcmp(a->identity, b->identity) != 0 ||
        a->size_bytes != b->size_bytes || a->sector_bytes != b->sector_bytes)
        return false;
    return a->content.read != READ_DONE || b->content.read != READ_DONE ||
           same_content(&a->content, &b->content);
}

static bool same_volume(const struct disk *a, const struct disk *b)
{
    return a->content.volume_uuid[0] && strcmp(a->content.volume_uuid, b->content.volume_uuid) == 0;
}

/* Whether the label in its first sector was written to this very disk, not to one that it is a
 * copy of. */
static bool is_original(const struct disk *disk)
{
    return disk->content.mark == MARK_LABEL && disk->identity[0] &&
           strcmp(disk->content.label_identity, disk->identity) == 0;
}

static void judge_paths(struct disk *disks, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        for (unsigned j = i + 1; j < count && disks[i].state != DISK_DUPLICATE; j++) {
            struct disk *used = &disks[i], *left = &disks[j];
            if (left->state == DISK_DUPLICATE || !same_disk(used, left))
                continue;
            /* The path by which it can be read. */
            if (used->content.read != READ_DONE && left->content.read == READ_DONE) {
                used = &disks[j];
                left = &disks[i];
            }
            disk_judge(left, DISK_DUPLICATE, "%s and %s are the same disk (%s); %s is used",
                       used->name, left->name, used->identity, used->name);
        }
    }
}

/* Finds those that carry the physical volume of `disk`: how many, the last that is another one, and
 * the one that is known as the original when there is just one. */
static unsigned find_copies(const struct disk *disks, unsigned count, const struct disk *disk,
                            const struct disk **other, const struct disk **original)
{
    unsigned alike = 0, originals = 0;

    *other = *original = NULL;
    for (unsigned i = 0; i < count; i++) {
        bool path = disks[i].state == DISK_DUPLICATE && !disks[i].ambiguous;
        if (path || !same_volume(disk, &disks[i]))
            continue;
        alike++;
        if (&disks[i] != disk)
            *other = &disks[i];
        if (is_original(&disks[i])) {
            originals++;
            *original = &disks[i];
        }
    }
    if (originals != 1)
        *original = NULL;
    return alike;
}

static void judge_copies(struct disk *disks, unsigned count)
{
    const struct disk *original_of[DISKS_MAX] = {NULL};

    for (unsigned i = 0; i < count; i++) {
        const struct disk *other;
        if (disks[i].state == DISK_DUPLICATE ||
            find_copies(disks, count, &disks[i], &other, &original_of[i]) < 2)
            continue;
        if (!original_of[i]) {
            disk_judge(
                &disks[i], DISK_DUPLICATE,
                "%s and %s are copies of each other, and nobody can tell which is the original: "
                "take one out",
                disks[i].name, other->name);
            disks[i].ambiguous = true;
        }
    }
    /* Only now, since each had to be compared with all others. */
    for (unsigned i = 0; i < count; i++) {
        disks[i].copy = original_of[i] && original_of[i] != &disks[i];
        if (disks[i].copy)
            disk_judge(&disks[i], DISK_DUPLICATE, "a copy of %s; left untouched",
                       original_of[i]->name);
    }
}

void duplicates_mark(struct disk *disks, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        disks[i].state = DISK_UNUSED;
        disks[i].reason[0] = '\0';
        disks[i].ambiguous = false;
        disks[i].copy = false;
    }
    judge_paths(disks, count);
    judge_copies(disks, count);
}

const struct disk *duplicates_first(const struct disk *disks, unsigned count,
                                    const struct disk *disk)
{
    for (unsigned i = 0; i < count; i++)
        if (disks[i].ambiguous && same_volume(&disks[i], disk))
            return &disks[i];
    return disk;
}

bool duplicates_ask_lvm(const struct disk *disks, unsigned count, const struct disk *disk)
{
    return disk->content.physical_volume &&
           (disk->ambiguous ? duplicates_first(disks, count, disk) == disk
                            : disk->state != DISK_DUPLICATE);
}
