#include "disks/groups.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "disks/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A disk that answered its reader answers LVM; what lasts longer is a drive that has just died. */
#define TIMEOUT_MS 60000
/* Some 400 bytes to a disk. */
#define OUTPUT_LIMIT (1u << 20)

static const char fields[] = "pv_name,pv_uuid,pv_size,vg_name,vg_uuid,vg_missing_pv_count,"
                             "vg_size,vg_tags,lv_count";

static struct disk *find(struct disk *disks, unsigned count, const char *dev, const char *path)
{
    size_t length = strlen(dev);

    if (strncmp(path, dev, length) != 0 || path[length] != '/')
        return NULL;
    for (unsigned i = 0; i < count; i++)
        if (strcmp(disks[i].name, path + length + 1) == 0)
            return &disks[i];
    return NULL;
}

static int take_one(const json_t *entry, const char *dev, struct disk *disks, unsigned count,
                    struct err *err)
{
    const char *uuid = json_member_text(entry, "pv_uuid");
    const char *missing = json_member_text(entry, "vg_missing_pv_count");
    struct disk *disk = find(disks, count, dev, json_member_text(entry, "pv_name"));
    struct disk_group group = {.known = true};

    /* A missing disk of a group is listed without a name. */
    if (!disk)
        return 0;
    if (strcmp(uuid, disk->content.volume_uuid) != 0)
        return err_set(err, ERR_STORAGE_ERROR, "%s has another physical volume than was read",
                       disk->name);
    if (!copy_text(group.name, sizeof(group.name), json_member_text(entry, "vg_name")) ||
        !copy_text(group.uuid, sizeof(group.uuid), json_member_text(entry, "vg_uuid")) ||
        !copy_text(group.tags, sizeof(group.tags), json_member_text(entry, "vg_tags")))
        return err_set(err, ERR_STORAGE_ERROR, "a name on %s is too long", disk->name);
    group.volumes = (unsigned)strtoul(json_member_text(entry, "lv_count"), NULL, 10);
    group.missing = (unsigned)strtoul(missing, NULL, 10);
    group.group_mib = strtoull(json_member_text(entry, "vg_size"), NULL, 10) >> 20;
    group.volume_bytes = strtoull(json_member_text(entry, "pv_size"), NULL, 10);
    disk->group = group;
    return 0;
}

int groups_take(const char *text, const char *dev, struct disk *disks, unsigned count,
                struct err *err)
{
    CLEANUP_JSON json_t *report = NULL;
    const json_t *one, *entry, *list;
    size_t i, j;

    if (json_object_parse(text, strlen(text), &report, err) < 0)
        return err_context(err, "LVM's report");
    json_array_foreach(json_object_get(report, "report"), i, one)
    {
        list = json_object_get(one, "pv");
        json_array_foreach(list, j, entry)
        {
            if (take_one(entry, dev, disks, count, err) < 0)
                return -1;
        }
    }
    return 0;
}

static int ask(const char *lvm, const char *dev, const char *paths, struct disk *disks,
               unsigned count, struct err *err)
{
    const char *const argv[] = {
        lvm, "pvs",        "--readonly", "--devices", paths, "--reportformat", "json", "--units",
        "b", "--nosuffix", "-o",         fields,      NULL};
    CLEANUP_FREE char *output = NULL;

    if (command_output(argv, TIMEOUT_MS, OUTPUT_LIMIT, &output, err) < 0)
        return -1;
    return groups_take(output, dev, disks, count, err);
}

static bool is_asked_for(const struct disk *disk, bool wanted)
{
    return wanted && !disk->group.failure[0];
}

static int ask_together(const char *lvm, const char *dev, struct disk *disks, unsigned count,
                        const bool *wanted, struct err *err)
{
    CLEANUP_FREE char *paths = xstrdup("");

    for (unsigned i = 0; i < count; i++) {
        char *longer;
        if (!is_asked_for(&disks[i], wanted[i]))
            continue;
        longer = xasprintf("%s%s%s/%s", paths, *paths ? "," : "", dev, disks[i].name);
        free(paths);
        paths = longer;
    }
    return *paths ? ask(lvm, dev, paths, disks, count, err) : 0;
}

static void ask_alone(const char *lvm, const char *dev, struct disk *disk)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", dev, disk->name);
    struct err err;

    if (ask(lvm, dev, path, disk, 1, &err) < 0)
        snprintf(disk->group.failure, sizeof(disk->group.failure), "%.120s", err.message);
}

static void forget(struct disk *disks, unsigned count, const bool *wanted, const char *why)
{
    for (unsigned i = 0; i < count; i++) {
        struct disk_group *group = &disks[i].group;
        if (!wanted[i] || group->failure[0])
            continue;
        memset(group, 0, sizeof(*group));
        snprintf(group->failure, sizeof(group->failure), "%.120s", why);
    }
}

void groups_read(const char *lvm, const char *dev, struct disk *disks, unsigned count,
                 const bool *wanted)
{
    struct err err;

    if (ask_together(lvm, dev, disks, count, wanted, &err) < 0) {
        log_error("%s; asking for each disk alone", err.message);
        for (unsigned i = 0; i < count; i++)
            if (is_asked_for(&disks[i], wanted[i]))
                ask_alone(lvm, dev, &disks[i]);
        /* One that LVM cannot read does not hide the others; asked alone, each misses its group. */
        if (ask_together(lvm, dev, disks, count, wanted, &err) < 0)
            forget(disks, count, wanted, err.message);
    }
    for (unsigned i = 0; i < count; i++)
        if (is_asked_for(&disks[i], wanted[i]) && !disks[i].group.known)
            copy_text(disks[i].group.failure, sizeof(disks[i].group.failure),
                      "LVM does not list it");
}
