#include "disks/judge.h"
#include "base/memory.h"
#include "disks/duplicates.h"
#include "disks/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void use(struct disk *disk, enum disk_action action, const char *reason)
{
    disk_judge(disk, DISK_CLAIMED, "%s", reason);
    disk->action = action;
}

/* --- Each disk -------------------------------------------------------------------------------- */

static bool has_our_name(const struct disk *disk)
{
    return disk->group.known && strcmp(disk->group.name, GROUP_NAME) == 0;
}

/* LVM gives a list of tags with commas. */
static bool has_tag(const char *tags, const char *tag)
{
    size_t length = strlen(tag);

    for (const char *at = tags; (at = strstr(at, tag)); at += length)
        if ((at == tags || at[-1] == ',') && (at[length] == ',' || at[length] == '\0'))
            return true;
    return false;
}

/* A group of our name in which there is nothing, and that no node has tagged, is somebody's who had
 * the same idea. Nodes have tagged theirs from the first moment on, or, before they did, have made
 * volumes in them. */
static bool is_ours(const struct disk *disk)
{
    return has_our_name(disk) &&
           (disk->group.volumes > 0 || has_tag(disk->group.tags, GROUP_TAG_SETUP) ||
            strstr(disk->group.tags, GROUP_TAG_CHUNK));
}

/* Why a disk that may be taken cannot be used, whatever is on it. */
static bool judge_hardware(struct disk *disk)
{
    if (disk->size_bytes == 0)
        disk_judge(disk, DISK_UNREADABLE,
                   "shows no capacity: a dead drive, or one whose sectors this "
                   "kernel does not read (520, 528 bytes)");
    else if (disk->sequential)
        disk_judge(disk, DISK_UNUSED,
                   "a shingled disk that is only written in order (host-managed)");
    else if (disk->in_use)
        disk_judge(disk, DISK_UNUSED, "in use by another device");
    else if (disk->sector_bytes != 512 && disk->sector_bytes != 4096)
        disk_judge(disk, DISK_UNUSED, "has sectors of %u bytes; 512 and 4096 can be used",
                   disk->sector_bytes);
    else
        return false;
    return true;
}

static const char *described(const struct disk *disk, char text[static DISK_REASON_BYTES])
{
    if (has_our_name(disk))
        snprintf(text, DISK_REASON_BYTES, "volume group %s that no node has made",
                 disk->group.name);
    else if (disk->group.known && disk->group.name[0])
        snprintf(text, DISK_REASON_BYTES, "volume group %s", disk->group.name);
    else if (disk->content.found[0])
        snprintf(text, DISK_REASON_BYTES, "%s", disk->content.found);
    else
        snprintf(text, DISK_REASON_BYTES, "data of an unknown kind");
    return text;
}

/* Blank, or what is on it may go; sets what is to be done. */
static bool may_be_taken(struct disk *disk, bool wipe, enum disk_action *action)
{
    char text[DISK_REASON_BYTES];

    if (disk->content.mark == MARK_HALF_MADE) {
        *action = ACTION_REMAKE;
    } else if (disk->content.zeros && !disk->content.found[0]) {
        *action = ACTION_TAKE;
    } else if (disk->content.medium) {
        disk_judge(disk, DISK_MEDIUM, "a boot medium; left untouched");
        return false;
    } else if (wipe) {
        *action = ACTION_WIPE;
    } else {
        disk_judge(disk, DISK_FOREIGN, "%s; left untouched", described(disk, text));
        return false;
    }
    return true;
}

static void judge_taking(struct disk *disk, struct disk_naming naming,
                         const struct disk_rules *rules)
{
    enum disk_action action;

    if (judge_hardware(disk))
        return;
    if (disk->read_only)
        disk_judge(disk, DISK_READONLY, "read-only");
    else if (!may_be_taken(disk, naming.wipe, &action))
        return;
    else if (disk->size_bytes >> 20 < DISK_SMALLEST_MIB)
        disk_judge(disk, DISK_TOO_SMALL, "smaller than %u MiB", DISK_SMALLEST_MIB);
    else if (rules->count > 0 && !naming.named)
        disk_judge(disk, DISK_UNUSED, "blank, but not named by slicenode.disk");
    else if (disk->removable && !naming.named)
        disk_judge(disk, DISK_UNUSED, "removable; name it in slicenode.disk to use it");
    else
        use(disk, action, "volume group " GROUP_NAME " (new)");
}

/* A half-made disk whose group was half made with it holds nothing; of a whole group, or of one
 * that it was to join, it is a part. */
static bool is_used_already(const struct disk *disk)
{
    return is_ours(disk) && (disk->group.missing == 0 || disk->content.mark != MARK_HALF_MADE ||
                             !has_tag(disk->group.tags, GROUP_TAG_SETUP));
}

static void judge_one(struct disk *disk, const struct disk_rules *rules, struct disk_naming naming)
{
    if (rules->none)
        disk_judge(disk, DISK_UNUSED, "slicenode.disk allows none");
    /* A bad place in LVM's own part takes no storage down as long as LVM knows the group. */
    else if (disk->content.read != READ_DONE && disk->size_bytes > 0 && !is_used_already(disk))
        disk_judge(disk, DISK_UNREADABLE, "%s; left untouched",
                   disk->content.failure[0] ? disk->content.failure : "was not read");
    else if (disk->content.physical_volume && !disk->group.known)
        disk_judge(disk, DISK_UNREADABLE,
                   "a physical volume that LVM does not read (%s); left untouched",
                   disk->group.failure);
    else if (disk->content.mark == MARK_LABEL && !is_ours(disk))
        disk_judge(disk, DISK_UNREADABLE,
                   "says in its first sector that it is part of a node, but LVM does not; left "
                   "untouched");
    else if (is_used_already(disk) && disk->read_only)
        disk_judge(disk, DISK_READONLY,
                   "part of volume group " GROUP_NAME ", and can only be read by now");
    else if (is_used_already(disk))
        use(disk, ACTION_USE, "volume group " GROUP_NAME);
    else
        judge_taking(disk, naming, rules);
}

/* --- The whole -------------------------------------------------------------------------------- */

static void whole(struct storage_verdict *verdict, enum err_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void whole(struct storage_verdict *verdict, enum err_code code, const char *format, ...)
{
    va_list arguments;

    verdict->code = code;
    va_start(arguments, format);
    vsnprintf(verdict->message, sizeof(verdict->message), format, arguments);
    va_end(arguments);
}

static bool has(const struct disk *disks, unsigned count, enum disk_state state)
{
    for (unsigned i = 0; i < count; i++)
        if (disks[i].state == state)
            return true;
    return false;
}

static void judge_nothing_usable(const struct disk *disks, unsigned count,
                                 struct storage_verdict *verdict)
{
    if (count == 0)
        whole(verdict, ERR_NO_DISK, "no disk found");
    else if (count == 1 && disks[0].state == DISK_MEDIUM)
        whole(verdict, ERR_NO_DISK, "no disk found but what the node boots from");
    else if (has(disks, count, DISK_UNREADABLE))
        whole(verdict, ERR_STORAGE_ERROR, "no usable disk: what cannot be read is left untouched");
    else if (has(disks, count, DISK_TOO_SMALL))
        whole(verdict, ERR_DISK_TOO_SMALL,
              "no usable disk: at least one blank disk of %u MiB is needed", DISK_SMALLEST_MIB);
    else if (has(disks, count, DISK_FOREIGN))
        whole(verdict, ERR_DISK_FOREIGN,
              "no usable disk: what carries data is left untouched unless "
              "slicenode.disk=/dev/NAME:wipe names it");
    else
        whole(verdict, ERR_NO_DISK, "no usable disk");
}

/* Groups that were made before their tags told it have chunks of 64 KiB. */
static unsigned chunk_of(const char *tags)
{
    const char *at = strstr(tags, GROUP_TAG_CHUNK);
    unsigned long kib = at ? strtoul(at + strlen(GROUP_TAG_CHUNK), NULL, 10) : 0;

    return kib > 0 && kib <= 1u << 20 ? (unsigned)kib : 64;
}

/* Takes what the disks in use say of their group; false when they are of several. */
static bool read_group(const struct disk *disks, unsigned count, struct storage_verdict *verdict)
{
    bool one = true;

    verdict->chunk_kib = plan_chunk_kib(POOL_LARGEST_MIB);
    for (unsigned i = 0; i < count; i++) {
        const struct disk_group *group = &disks[i].group;
        if (disks[i].content.label_node[0] && disks[i].state == DISK_CLAIMED)
            snprintf(verdict->node, sizeof(verdict->node), "%s", disks[i].content.label_node);
        if (disks[i].action != ACTION_USE)
            continue;
        one = one && (!verdict->group_uuid[0] || strcmp(verdict->group_uuid, group->uuid) == 0);
        snprintf(verdict->group_uuid, sizeof(verdict->group_uuid), "%s", group->uuid);
        verdict->chunk_kib = chunk_of(group->tags);
        verdict->setup = has_tag(group->tags, GROUP_TAG_SETUP);
        verdict->mirrored = has_tag(group->tags, GROUP_TAG_MIRROR);
        verdict->group_mib = group->group_mib;
        verdict->missing = group->missing;
    }
    return one;
}

/* A disk that became smaller: what lay at its end is gone. */
static const struct disk *shrunk(const struct disk *disks, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (disks[i].action == ACTION_USE && disks[i].size_bytes < disks[i].group.volume_bytes)
            return &disks[i];
    return NULL;
}

/* A part of the group that can only be read: what is kept there could not be changed. */
static const struct disk *unwritable(const struct disk *disks, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (disks[i].state == DISK_READONLY && is_ours(&disks[i]))
            return &disks[i];
    return NULL;
}

/* Of our own group; copies of somebody else's disks are no trouble. */
static const struct disk *ambiguous(const struct disk *disks, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (disks[i].ambiguous && is_ours(&disks[i]))
            return &disks[i];
    return NULL;
}

static void judge_whole(struct disk *disks, unsigned count, struct storage_verdict *verdict)
{
    bool one = read_group(disks, count, verdict), any = false;
    const struct disk *doubt = ambiguous(disks, count), *small = shrunk(disks, count);
    const struct disk *fixed = unwritable(disks, count);

    for (unsigned i = 0; i < count; i++)
        any = any || disks[i].action != ACTION_NONE;
    if (doubt)
        whole(verdict, ERR_STORAGE_ERROR, "%s", doubt->reason);
    else if (!one)
        whole(verdict, ERR_STORAGE_ERROR,
              "the disks belong to different nodes' volume groups: take the foreign ones out");
    else if (verdict->missing > (verdict->mirrored ? 1 : 0))
        whole(verdict, ERR_STORAGE_ERROR,
              "%u disk(s) of the volume group are missing: nothing is started or changed until "
              "they are back",
              verdict->missing);
    else if (fixed)
        whole(verdict, ERR_STORAGE_ERROR,
              "disk %s of the volume group can only be read by now: nothing is started until it "
              "can be written",
              fixed->name);
    else if (small)
        whole(verdict, ERR_STORAGE_ERROR,
              "disk %s is smaller than when it was taken (%llu MiB, now %llu): what lay at its end "
              "is gone",
              small->name, (unsigned long long)(small->group.volume_bytes >> 20),
              (unsigned long long)(small->size_bytes >> 20));
    else if (!any)
        judge_nothing_usable(disks, count, verdict);
}

static bool is_taken(const struct disk *disk)
{
    return disk->action != ACTION_NONE && disk->action != ACTION_USE;
}

static unsigned count_taken(const struct disk *disks, unsigned count)
{
    unsigned taken = 0;

    for (unsigned i = 0; i < count; i++)
        taken += is_taken(&disks[i]);
    return taken;
}

static uint64_t smallest_mib(const struct disk *disks, unsigned count)
{
    uint64_t mib = UINT64_MAX;

    for (unsigned i = 0; i < count; i++)
        if (disks[i].action != ACTION_NONE && disks[i].size_bytes >> 20 < mib)
            mib = disks[i].size_bytes >> 20;
    return mib;
}

/* A mirror that lacks a disk takes one that is as large as the other; a whole one takes none. */
static void take_second_half(struct disk *disks, unsigned count,
                             const struct storage_verdict *verdict)
{
    uint64_t least_bytes = 0;
    bool lacks = verdict->missing > 0;

    for (unsigned i = 0; i < count; i++)
        if (disks[i].action == ACTION_USE)
            least_bytes = disks[i].group.volume_bytes;
    for (unsigned i = 0; i < count; i++) {
        if (!is_taken(&disks[i]))
            continue;
        if (!lacks)
            disk_judge(&disks[i], DISK_UNUSED, "the storage is a mirror of two disks and has both");
        else if (disks[i].size_bytes < least_bytes + 4 * MIB)
            disk_judge(&disks[i], DISK_UNUSED, "smaller than the disk it would stand beside");
        else
            lacks = false;
    }
}

static void judge_mirror(struct disk *disks, unsigned count, const struct disk_rules *rules,
                         struct storage_verdict *verdict)
{
    if (verdict->group_uuid[0]) {
        verdict->not_mirrored = rules->mirror && !verdict->mirrored;
        if (verdict->mirrored)
            take_second_half(disks, count, verdict);
    } else if (rules->mirror) {
        verdict->mirrored = true;
        if (count_taken(disks, count) != 2)
            whole(verdict, ERR_STORAGE_ERROR,
                  "slicenode.disk says mirror, which takes two disks: %u can be used",
                  count_taken(disks, count));
    }
    if (verdict->mirrored)
        verdict->mirror_mib = smallest_mib(disks, count);
}

/* What the pool cannot use is not taken: its chunks bound its size. */
static void keep_within(struct disk *disks, unsigned count, const struct storage_verdict *verdict)
{
    uint64_t most_mib =
        verdict->group_uuid[0] ? plan_most_mib(verdict->chunk_kib) : POOL_LARGEST_MIB;
    uint64_t total_mib = verdict->group_mib;

    for (unsigned i = 0; i < count; i++) {
        uint64_t mib = disks[i].size_bytes >> 20;
        if (!is_taken(&disks[i]) || verdict->mirrored)
            continue;
        if (total_mib + mib > most_mib)
            disk_judge(&disks[i], DISK_UNUSED,
                       "the pool has chunks of %u KiB and cannot be larger than %llu GiB",
                       verdict->chunk_kib, (unsigned long long)(most_mib >> 10));
        else
            total_mib += mib;
    }
}

/* Nothing is taken while the storage cannot be brought up. */
static void take_none(struct disk *disks, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (is_taken(&disks[i]))
            disk_judge(&disks[i], DISK_UNUSED,
                       "not taken while the volume group cannot be brought up");
}

/* Copies of a disk of another group are somebody's data. */
static void judge_ambiguous(struct disk *disks, unsigned count, struct disk *disk)
{
    const struct disk *first = duplicates_first(disks, count, disk);
    char text[DISK_REASON_BYTES];

    if (first->group.known && !is_ours(first))
        disk_judge(disk, DISK_FOREIGN, "%s; left untouched", described(first, text));
}

void judge_disks(struct disk *disks, unsigned count, struct disk_rules *rules,
                 struct storage_verdict *verdict)
{
    memset(verdict, 0, sizeof(*verdict));
    verdict->code = ERR_NONE;
    for (unsigned i = 0; i < count; i++) {
        struct disk_naming naming = rules_find(rules, &disks[i]);
        if (disks[i].ambiguous)
            judge_ambiguous(disks, count, &disks[i]);
        else if (disks[i].copy && naming.wipe && disks[i].content.read == READ_DONE)
            judge_taking(&disks[i], naming, rules);
        else if (disks[i].state != DISK_DUPLICATE)
            judge_one(&disks[i], rules, naming);
    }
    judge_whole(disks, count, verdict);
    if (verdict->code == ERR_NONE)
        judge_mirror(disks, count, rules, verdict);
    if (verdict->code != ERR_NONE)
        take_none(disks, count);
    else
        keep_within(disks, count, verdict);
}
