/* disks: ranges that are read before a disk is taken for blank; what becomes of whole machines. */
#include "base/memory.h"
#include "disks/content.h"
#include "disks/duplicates.h"
#include "disks/judge.h"
#include "disks/plan.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static bool covered(const struct range *ranges, unsigned count, uint64_t at)
{
    for (unsigned i = 0; i < count; i++)
        if (at >= ranges[i].start && at < ranges[i].start + ranges[i].length)
            return true;
    return false;
}

/* Every size modulo 1 MiB, in sectors; small, usual and large. */
TEST(disks_are_read_to_their_very_last_byte)
{
    static const uint64_t bases[] = {8 * MIB, 4096 * MIB, 465 * GIB, 20 * GIB * 1024};

    for (size_t base = 0; base < ARRAY_LENGTH(bases); base++) {
        for (uint64_t odd = 0; odd < MIB; odd += 512) {
            struct range ranges[RANGES_MAX];
            uint64_t size = bases[base] + odd;
            unsigned count = content_ranges(size, ranges);
            uint64_t end = 0;
            bool good = count > 0 && count <= RANGES_MAX && covered(ranges, count, 0) &&
                        covered(ranges, count, size - 1) &&
                        covered(ranges, count, size - 3087 * 512);
            for (unsigned i = 0; i < count; i++) {
                good = good && ranges[i].length > 0 && (i == 0 || ranges[i].start > end);
                end = ranges[i].start + ranges[i].length;
            }
            if (!CHECK(good && end == size))
                return;
        }
    }
}

TEST(disks_smaller_than_the_ranges_are_read_whole)
{
    struct range ranges[RANGES_MAX];

    CHECK_NUMBER(1, content_ranges(4 * MIB, ranges));
    CHECK_NUMBER(4 * MIB, ranges[0].length);
    CHECK_NUMBER(0, content_ranges(0, ranges));
}

TEST(disks_pools_can_grow_fourfold_from_4_gib_to_1_pib)
{
    for (uint64_t mib = 4096; mib <= POOL_LARGEST_MIB; mib *= 2) {
        unsigned chunk_kib = plan_chunk_kib(mib);
        uint64_t most_mib = plan_most_mib(chunk_kib);
        CHECK(chunk_kib >= 64 && chunk_kib <= 16384 && (chunk_kib & (chunk_kib - 1)) == 0);
        CHECK(most_mib == POOL_LARGEST_MIB || most_mib >= 3 * mib);
        CHECK(plan_metadata_mib(mib, chunk_kib) * 2 < mib / 100);
        CHECK(plan_metadata_mib(most_mib, chunk_kib) <= 16192);
    }
    CHECK_NUMBER(64, plan_chunk_kib(2 << 20));
    CHECK_NUMBER(16192u * 16 * 64, plan_most_mib(64));
}

/* --- Whole machines
 * ---------------------------------------------------------------------------- */

static struct disk *add(struct disk *disks, unsigned *count)
{
    struct disk *disk = &disks[*count];

    memset(disk, 0, sizeof(*disk));
    snprintf(disk->name, sizeof(disk->name), "sd%c", (char)('a' + *count));
    disk->size_bytes = 100 * GIB;
    disk->sector_bytes = 512;
    disk->content.read = READ_DONE;
    disk->content.zeros = true;
    (*count)++;
    return disk;
}

static struct disk *add_ours(struct disk *disks, unsigned *count, const char *group_uuid)
{
    struct disk *disk = add(disks, count);

    disk->content.zeros = false;
    disk->content.physical_volume = true;
    snprintf(disk->content.found, sizeof(disk->content.found), "LVM2_member");
    snprintf(disk->content.volume_uuid, sizeof(disk->content.volume_uuid), "pv-%u", *count);
    disk->group.known = true;
    snprintf(disk->group.name, sizeof(disk->group.name), "%s", GROUP_NAME);
    snprintf(disk->group.uuid, sizeof(disk->group.uuid), "%s", group_uuid);
    disk->group.volume_bytes = disk->size_bytes - 4 * MIB;
    disk->group.volumes = 2;
    return disk;
}

static struct storage_verdict judge(struct disk *disks, unsigned count, const char *rule)
{
    struct storage_verdict verdict;
    struct disk_rules rules;
    struct err err;

    CHECK_NUMBER(0, rules_parse(rule, &rules, &err));
    duplicates_mark(disks, count);
    judge_disks(disks, count, &rules, &verdict);
    return verdict;
}

TEST(disks_of_two_nodes_start_nothing_and_take_nothing)
{
    struct disk disks[3];
    unsigned count = 0;
    struct storage_verdict verdict;

    add_ours(disks, &count, "one");
    add_ours(disks, &count, "two");
    add(disks, &count);
    verdict = judge(disks, count, "");
    CHECK_NUMBER(ERR_STORAGE_ERROR, verdict.code);
    CHECK_NUMBER(DISK_UNUSED, disks[2].state);
    CHECK_NUMBER(ACTION_NONE, disks[2].action);
}

TEST(disks_that_cannot_be_read_are_never_taken_whatever_is_said)
{
    static const char *const rules[] = {"", "auto", "/dev/sda", "/dev/sda:wipe",
                                        "/dev/sda,/dev/sdb:wipe"};

    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
        struct disk disks[2];
        unsigned count = 0;
        struct disk *disk = add(disks, &count);
        disk->content.read = READ_FAILED;
        add(disks, &count)->content.read = READ_NOT;
        judge(disks, count, rules[i]);
        CHECK_NUMBER(DISK_UNREADABLE, disks[0].state);
        CHECK_NUMBER(ACTION_NONE, disks[0].action);
        CHECK_NUMBER(ACTION_NONE, disks[1].action);
    }
}

/* LVM takes a volume whose metadata it cannot read for one of no group: :wipe is no word for that. As
 * long as it knows the group, a bad place there takes no storage down. */
TEST(disks_whose_lvm_part_cannot_be_read_are_not_wiped_and_go_on_being_used)
{
    struct disk disks[1];
    unsigned count = 0;
    struct disk *disk = add_ours(disks, &count, "one");

    disk->content.read = READ_FAILED;
    CHECK(duplicates_ask_lvm(disks, count, disk));
    judge(disks, count, "/dev/sda:wipe");
    CHECK_NUMBER(ACTION_USE, disk->action);
    disk->group.name[0] = '\0';
    judge(disks, count, "/dev/sda:wipe");
    CHECK_NUMBER(DISK_UNREADABLE, disk->state);
    CHECK_NUMBER(ACTION_NONE, disk->action);
}

TEST(disks_none_means_none)
{
    struct disk disks[2];
    unsigned count = 0;

    add(disks, &count);
    add_ours(disks, &count, "one");
    CHECK_NUMBER(ERR_NO_DISK, judge(disks, count, "none").code);
    CHECK_NUMBER(DISK_UNUSED, disks[0].state);
    CHECK_NUMBER(DISK_UNUSED, disks[1].state);
}

TEST(disks_beyond_a_pebibyte_are_not_taken)
{
    struct disk disks[80];
    unsigned count = 0, taken = 0;

    while (count < 80)
        add(disks, &count)->size_bytes = (uint64_t)20 << 40;
    judge(disks, count, "");
    for (unsigned i = 0; i < count; i++)
        taken += disks[i].action == ACTION_TAKE;
    CHECK_NUMBER(51, taken);
    CHECK_HOLDS("cannot be larger than", disks[79].reason);
}

/* Whatever is known of a disk: it is written to only when it is blank, half made or named. */
TEST(disks_all_facts_at_once)
{
    for (unsigned bits = 0; bits < 1u << 13; bits++) {
        struct disk disk = {.name = "sda", .size_bytes = 100 * GIB, .sector_bytes = 512};
        struct disk_content *content = &disk.content;
        bool wipe = bits & 1 << 11;
        content->read = bits & 1 ? READ_FAILED : READ_DONE;
        content->zeros = bits & 1 << 1;
        content->physical_volume = bits & 1 << 2;
        snprintf(content->found, sizeof(content->found), "%s", bits & 1 << 3 ? "ext4" : "");
        content->mark = bits & 1 << 4 ? MARK_HALF_MADE : MARK_NONE;
        content->medium = bits & 1 << 5;
        disk.group.known = bits & 1 << 6;
        snprintf(disk.group.name, sizeof(disk.group.name), "%s", bits & 1 << 7 ? GROUP_NAME : "");
        disk.group.missing = bits & 1 << 8 ? 1 : 0;
        disk.read_only = bits & 1 << 9;
        snprintf(disk.group.tags, sizeof(disk.group.tags), "%s", bits & 1 << 10 ? "setup" : "");
        disk.group.volumes = bits & 1 << 12 ? 2 : 0;
        judge(&disk, 1, wipe ? "/dev/sda:wipe" : "/dev/sda");
        if (disk.action == ACTION_NONE || disk.action == ACTION_USE)
            continue;
        bool may =
            content->read == READ_DONE && !disk.read_only &&
            (content->mark == MARK_HALF_MADE || (content->zeros && !content->found[0]) || wipe);
        bool made = disk.group.volumes > 0 || disk.group.tags[0];
        bool ours = disk.group.known && disk.group.name[0] && made && disk.group.missing == 0;
        if (!CHECK(may && !ours && (!content->physical_volume || disk.group.known)))
            printf("bits %x\n", bits);
    }
}
