#include "disks/report.h"
#include "base/file.h"
#include "base/memory.h"
#include "disks/emulate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* LVM keeps 1 MiB for itself and counts in extents of 4: a difference of less is no growth. */
#define GROWTH_LEAST_BYTES (16 * MIB)
/* Some 100 bytes to a disk. */
#define STORAGE_LIMIT (256u << 10)

static const char *const action_words[] = {[ACTION_NONE] = NULL,
                                           [ACTION_USE] = "use",
                                           [ACTION_TAKE] = "take",
                                           [ACTION_WIPE] = "wipe",
                                           [ACTION_REMAKE] = "remake"};

static int write_stream(const char *run, const char *name, FILE *stream, char **text,
                        size_t *length, struct err *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", run, name);

    fclose(stream);
    return write_file(path, *text, *length, 0644, err);
}

int report_disks(const char *run, const struct disk *disks, unsigned count, struct err *err)
{
    CLEANUP_FREE char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);

    for (unsigned i = 0; i < count; i++)
        fprintf(stream, "%s\t%llu\t%s\t%s\t%s\t%s\n", disks[i].name,
                (unsigned long long)(disks[i].size_bytes >> 20), disk_state_name(disks[i].state),
                disks[i].reason, disks[i].model, disks[i].serial);
    return write_stream(run, "disks", stream, &text, &length, err);
}

static bool has_grown(const struct disk *disk)
{
    return disk->action == ACTION_USE &&
           disk->size_bytes >= disk->group.volume_bytes + GROWTH_LEAST_BYTES;
}

static void print_disks(FILE *stream, const char *dev, const struct disk *disks, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        CLEANUP_FREE char *path = emulate_path(dev, &disks[i]);
        if (action_words[disks[i].action])
            fprintf(stream, "%s %s %s\n", action_words[disks[i].action], disks[i].name, path);
        if (has_grown(&disks[i]))
            fprintf(stream, "grown %s %s\n", disks[i].name, path);
    }
}

/* Two blank disks of one size and nothing said about them: a mirror is what the operator may have
 * meant. */
static void print_question(FILE *stream, const struct disk *disks, unsigned count,
                           const struct disk_rules *rules, const struct storage_verdict *verdict)
{
    const struct disk *taken[2] = {NULL, NULL};
    unsigned found = 0;

    for (unsigned i = 0; i < count; i++) {
        if (disks[i].action != ACTION_TAKE && disks[i].action != ACTION_REMAKE)
            continue;
        if (found < 2)
            taken[found] = &disks[i];
        found++;
    }
    if (found == 2 && rules->count == 0 && !rules->mirror && !verdict->group_uuid[0] &&
        taken[0]->size_bytes == taken[1]->size_bytes)
        fprintf(stream, "ask %s %s\n", taken[0]->name, taken[1]->name);
}

int report_storage(const char *run, const char *dev, const struct disk *disks, unsigned count,
                   const struct disk_rules *rules, const struct storage_verdict *verdict,
                   struct err *err)
{
    CLEANUP_FREE char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);

    if (verdict->code != ERR_NONE)
        fprintf(stream, "code %s\nmessage %s\n", err_code_name(verdict->code), verdict->message);
    if (verdict->group_uuid[0])
        fprintf(stream, "group %s\ngroup_mib %llu\nmissing %u\nchunk_kib %u\n", verdict->group_uuid,
                (unsigned long long)verdict->group_mib, verdict->missing, verdict->chunk_kib);
    if (verdict->setup)
        fprintf(stream, "setup yes\n");
    if (verdict->mirrored)
        fprintf(stream, "mirror %llu\n", (unsigned long long)verdict->mirror_mib);
    if (verdict->not_mirrored)
        fprintf(stream,
                "note slicenode.disk says mirror, but the storage was made without a mirror; "
                "it becomes one only when it is made anew\n");
    if (verdict->node[0])
        fprintf(stream, "node %s\n", verdict->node);
    if (verdict->code == ERR_NONE)
        print_disks(stream, dev, disks, count);
    print_question(stream, disks, count, rules, verdict);
    for (unsigned i = 0; i < rules->count; i++)
        if (!rules->rule[i].seen)
            fprintf(stream, "absent %s\n", rules->rule[i].word);
    return write_stream(run, "storage", stream, &text, &length, err);
}

int report_action(const char *run, const char *name, enum disk_action *action, struct err *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/storage", run);
    CLEANUP_FREE char *text = NULL;
    char *rest, *line;
    size_t length;

    *action = ACTION_NONE;
    if (read_file(path, STORAGE_LIMIT, &text, &length, err) < 0)
        return -1;
    rest = text;
    while ((line = strsep(&rest, "\n"))) {
        const char *word = strsep(&line, " "), *named = line ? strsep(&line, " ") : NULL;
        for (size_t i = 0; named && i < ARRAY_LENGTH(action_words); i++)
            if (action_words[i] && strcmp(word, action_words[i]) == 0 && strcmp(named, name) == 0)
                *action = (enum disk_action)i;
    }
    return 0;
}
