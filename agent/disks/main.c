/* slicenode-disks: decides what may be done with the machine's disks, and does what is done to
 * one disk alone. The volume group is made by LVM (rc/storage). */
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "disks/duplicates.h"
#include "disks/emulate.h"
#include "disks/groups.h"
#include "disks/judge.h"
#include "disks/plan.h"
#include "disks/prepare.h"
#include "disks/probe.h"
#include "disks/report.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The kernel gives a drive up after some 30 s for each try; one that needs longer than this would
 * keep the node from coming up. */
#define ANSWER_MS 90000
#define CONF_LIMIT 65536

static const char usage[] =
    "usage: slicenode-disks [OPTION ...] COMMAND\n"
    "  look                     judge all disks: RUN/disks, RUN/storage\n"
    "  prepare NAME             mark a disk that is to be taken as being made ours, overwrite it\n"
    "  label NAME [NODE-ID]     note on it which disk it is, and whose\n"
    "  emulate NAME             sectors of 512 bytes on a disk of 4096\n"
    "  sizes GROUP-MIB          prints STATE-MIB CHUNK-KIB METADATA-MIB of new volumes\n"
    "  mirror-sizes DISK-MIB    the same of a mirror of two such disks, and POOL-MIB\n"
    "  grow POOL-MIB CHUNK-KIB  prints POOL-MIB METADATA-MIB: as large as such a pool can be\n"
    "options: --run FOLDER --sys FOLDER --dev FOLDER --lvm PROGRAM\n";

struct settings {
    struct disk_folders folders;
    const char *run;
    const char *lvm;
};

static int read_rules(const char *run, struct disk_rules *rules, struct err *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/conf/disk", run);
    CLEANUP_FREE char *value = NULL;
    size_t length;
    int found = read_file_if_there(path, CONF_LIMIT, &value, &length, err);

    return found < 0 ? -1 : rules_parse(found ? value : "", rules, err);
}

static int look(const struct settings *settings, struct err *err)
{
    CLEANUP_FREE struct disk *disks = xcalloc(DISKS_MAX, sizeof(*disks));
    struct storage_verdict verdict;
    struct disk_rules rules;
    bool wanted[DISKS_MAX], more;
    unsigned count;

    if (read_rules(settings->run, &rules, err) < 0)
        return -1;
    count = sysfs_disks(&settings->folders, disks, &more);
    if (more)
        log_error("more than %d disks: the others are left alone", DISKS_MAX);
    if (!rules.none) {
        probe_disks(&settings->folders, disks, count, ANSWER_MS);
        duplicates_mark(disks, count);
        for (unsigned i = 0; i < count; i++)
            wanted[i] = duplicates_ask_lvm(disks, count, &disks[i]);
        groups_read(settings->lvm, settings->folders.dev, disks, count, wanted);
    }
    judge_disks(disks, count, &rules, &verdict);
    if (report_disks(settings->run, disks, count, err) < 0)
        return -1;
    return report_storage(settings->run, settings->folders.dev, disks, count, &rules, &verdict,
                          err);
}

/* A copy of what is known of one disk by now. */
static int find(const struct settings *settings, const char *name, struct disk *disk,
                struct err *err)
{
    CLEANUP_FREE struct disk *disks = xcalloc(DISKS_MAX, sizeof(*disks));
    bool more;
    unsigned count = sysfs_disks(&settings->folders, disks, &more);

    for (unsigned i = 0; i < count; i++) {
        if (strcmp(disks[i].name, name) == 0) {
            *disk = disks[i];
            return 0;
        }
    }
    return err_set(err, ERR_NO_DISK, "it is gone");
}

static int for_disk(const struct settings *settings, char *const *words, struct err *err)
{
    enum disk_action action;
    struct disk disk;

    if (find(settings, words[1], &disk, err) < 0 ||
        report_action(settings->run, disk.name, &action, err) < 0)
        return -1;
    if (action == ACTION_NONE)
        return err_set(err, ERR_STORAGE_ERROR, "the verdict gives it no part in the storage");
    if (strcmp(words[0], "label") == 0)
        return prepare_label(&settings->folders, &disk, words[2] ? words[2] : "", err);
    if (strcmp(words[0], "emulate") == 0)
        return emulate_sectors(settings->folders.dev, &disk, err);
    if (action == ACTION_USE)
        return err_set(err, ERR_STORAGE_ERROR, "it is in use already");
    return prepare_disk(&settings->folders, &disk, action == ACTION_WIPE, err);
}

static int mirror_sizes(const char *disk)
{
    uint64_t disk_mib = strtoull(disk, NULL, 10), pool_mib = plan_mirror_pool_mib(disk_mib);
    unsigned chunk_kib = plan_chunk_kib(pool_mib);

    printf("%llu %u %llu %llu\n", (unsigned long long)plan_state_mib(disk_mib), chunk_kib,
           (unsigned long long)plan_metadata_mib(pool_mib, chunk_kib),
           (unsigned long long)pool_mib);
    return 0;
}

static int sizes(const char *group)
{
    uint64_t group_mib = strtoull(group, NULL, 10), state_mib = plan_state_mib(group_mib);
    uint64_t pool_mib = group_mib > state_mib ? group_mib - state_mib : 0;
    unsigned chunk_kib = plan_chunk_kib(pool_mib);

    printf("%llu %u %llu\n", (unsigned long long)state_mib, chunk_kib,
           (unsigned long long)plan_metadata_mib(pool_mib, chunk_kib));
    return 0;
}

static int grow(const char *pool, const char *chunk, struct err *err)
{
    uint64_t pool_mib = strtoull(pool, NULL, 10), most_mib;
    unsigned chunk_kib = (unsigned)strtoul(chunk, NULL, 10);

    if (chunk_kib == 0)
        return err_set(err, ERR_STORAGE_ERROR, "a pool without chunks");
    most_mib = plan_most_mib(chunk_kib);
    if (pool_mib > most_mib)
        pool_mib = most_mib;
    printf("%llu %llu\n", (unsigned long long)pool_mib,
           (unsigned long long)plan_metadata_mib(pool_mib, chunk_kib));
    return 0;
}

/* Runs the command that the words make; 2 when they make none. */
static int run(const struct settings *settings, char *const *words, int count, struct err *err)
{
    const char *command = count > 0 ? words[0] : "";

    if (count == 1 && strcmp(command, "look") == 0)
        return look(settings, err);
    if (count == 2 && strcmp(command, "sizes") == 0)
        return sizes(words[1]);
    if (count == 2 && strcmp(command, "mirror-sizes") == 0)
        return mirror_sizes(words[1]);
    if (count == 3 && strcmp(command, "grow") == 0)
        return grow(words[1], words[2], err);
    if (((count == 2 || count == 3) && strcmp(command, "label") == 0) ||
        (count == 2 && (strcmp(command, "prepare") == 0 || strcmp(command, "emulate") == 0)))
        return for_disk(settings, words, err);
    fputs(usage, stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"run", required_argument, NULL, 'r'}, {"sys", required_argument, NULL, 's'},
        {"dev", required_argument, NULL, 'd'}, {"lvm", required_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},      {NULL, 0, NULL, 0}};
    struct settings settings = {{"/sys", "/dev"}, "/run/slicenode", "/sbin/lvm"};
    struct err err = {.code = ERR_NONE};
    int option, result;

    log_open("slicenode-disks", LOG_LEVEL_INFO, NULL);
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'r':
            settings.run = optarg;
            break;
        case 's':
            settings.folders.sys = optarg;
            break;
        case 'd':
            settings.folders.dev = optarg;
            break;
        case 'l':
            settings.lvm = optarg;
            break;
        default:
            fputs(usage, option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
    }
    result = run(&settings, argv + optind, argc - optind, &err);
    /* For the script: the message alone. */
    if (result < 0)
        puts(err.message);
    return result < 0 ? 1 : result;
}
