/* What the machine has, from sysfs and from what the boot scripts found of the disks. */
#include "node/inventory.h"

#include "base/err.h"
#include "base/file.h"
#include "base/ident.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of a file of sysfs, which has a page at most. A longer one counts as none. */
#define VALUE_LIMIT 4096
/* The protocol's maxItems, of disks and of cards. A machine with ten times as many is told of as a
 * problem, and the rest is left out. */
#define DISKS_MAX 1024
#define NICS_MAX 1024
/* Of RUN_DIR/disks: some 30,000 disks. A list that is longer is told of as a problem. */
#define DISKS_LIMIT (16u << 20)

/* One value of sysfs without the line's end; "" when there is none. */
static char *read_value(const char *path)
{
    char *text;
    size_t length;
    if (read_file(path, VALUE_LIMIT, &text, &length, NULL) < 0)
        return xstrdup("");
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        text[--length] = '\0';
    return text;
}

static json_t *clean_or_null(const char *text)
{
    return text[0] ? json_clean_string(text) : json_null();
}

static json_t *dmi(const char *sysfs, const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/class/dmi/id/%s", sysfs, name);
    CLEANUP_FREE char *value = read_value(path);
    return clean_or_null(value);
}

static json_t *dmi_uuid(const char *sysfs)
{
    CLEANUP_FREE char *path = xasprintf("%s/class/dmi/id/product_uuid", sysfs);
    CLEANUP_FREE char *value = read_value(path);
    for (char *c = value; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    /* Some firmware has all zeroes or all ones: that is no identity. */
    bool none = !uuid_valid(value) || strspn(value, "0-") == strlen(value) ||
                strspn(value, "f-") == strlen(value);
    return none ? json_null() : json_string(value);
}

/* --- Network cards ---------------------------------------------------------------------------- */

static char *nic_value(const char *sysfs, const char *nic, const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/class/net/%s/%s", sysfs, nic, name);
    return read_value(path);
}

/* Those with a device behind them; bridges, VLANs and the slices' interfaces have none. */
static bool is_card(const char *sysfs, const char *nic)
{
    CLEANUP_FREE char *path = xasprintf("%s/class/net/%s/device", sysfs, nic);
    return nic[0] != '.' && strncmp(nic, "vif", 3) != 0 && access(path, F_OK) == 0;
}

static json_t *nic_json(const char *sysfs, const char *nic)
{
    CLEANUP_FREE char *mac = nic_value(sysfs, nic, "address");
    CLEANUP_FREE char *carrier = nic_value(sysfs, nic, "carrier");
    CLEANUP_FREE char *driver_path = xasprintf("%s/class/net/%s/device/driver", sysfs, nic);
    char target[512];
    ssize_t length = readlink(driver_path, target, sizeof(target) - 1);
    target[length > 0 ? length : 0] = '\0';
    const char *slash = strrchr(target, '/');
    if (strlen(mac) != 17)
        return NULL;
    return json_pack("{s:s, s:s, s:b, s:o}", "name", nic, "mac", mac, "link",
                     strcmp(carrier, "1") == 0, "driver", clean_or_null(slash ? slash + 1 : ""));
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* All cards by name, however many; the caller frees the names and the array. */
static char **card_names(const char *sysfs, size_t *count)
{
    CLEANUP_FREE char *folder = xasprintf("%s/class/net", sysfs);
    char **names = NULL;
    DIR *open_folder = opendir(folder);
    struct dirent *entry;
    *count = 0;
    while (open_folder && (entry = readdir(open_folder))) {
        if (!is_card(sysfs, entry->d_name))
            continue;
        names = xrealloc(names, (*count + 1) * sizeof(*names));
        names[(*count)++] = xstrdup(entry->d_name);
    }
    if (open_folder)
        closedir(open_folder);
    if (*count > 0)
        qsort(names, *count, sizeof(names[0]), compare_names);
    return names;
}

/* The first ones by name when there are too many, so that they are the same each time. */
json_t *inventory_nics(const char *sysfs)
{
    json_t *nics = json_array();
    size_t count;
    CLEANUP_FREE char **names = card_names(sysfs, &count);
    for (size_t i = 0; i < count; i++) {
        json_t *nic = i < NICS_MAX ? nic_json(sysfs, names[i]) : NULL;
        if (nic)
            json_array_append_new(nics, nic);
        free(names[i]);
    }
    return nics;
}

static int compare_macs(const void *left, const void *right)
{
    return strcmp(json_string_value(*(json_t *const *)left),
                  json_string_value(*(json_t *const *)right));
}

json_t *inventory_hardware(const char *sysfs)
{
    json_t *nics = inventory_nics(sysfs), *macs = json_array(), *nic;
    CLEANUP_FREE json_t **sorted = xcalloc(json_array_size(nics) + 1, sizeof(json_t *));
    size_t index, count = 0;
    json_array_foreach(nics, index, nic) sorted[count++] = json_object_get(nic, "mac");
    qsort(sorted, count, sizeof(sorted[0]), compare_macs);
    for (size_t i = 0; i < count; i++)
        json_array_append(macs, sorted[i]);
    json_decref(nics);
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "uuid", dmi_uuid(sysfs), "serial",
                     dmi(sysfs, "product_serial"), "vendor", dmi(sysfs, "sys_vendor"), "product",
                     dmi(sysfs, "product_name"), "macs", macs);
}

/* --- Disks ------------------------------------------------------------------------------------ */

/* RUN_DIR/disks, a line to a disk: name, size_mib, state, reason, model, serial, between tabs. */
static json_t *disk_json(char *line)
{
    const char *columns[6] = {"", "", "", "", "", ""};
    for (size_t i = 0; i < ARRAY_LENGTH(columns) && line; i++)
        columns[i] = strsep(&line, "\t");
    if (!columns[0][0] || !columns[2][0])
        return NULL;
    return json_pack("{s:o, s:I, s:o, s:o, s:o, s:o}", "name", json_clean_string(columns[0]),
                     "size_mib", (json_int_t)strtoll(columns[1], NULL, 10), "state",
                     json_clean_string(columns[2]), "reason", clean_or_null(columns[3]), "model",
                     clean_or_null(columns[4]), "serial", clean_or_null(columns[5]));
}

/* All disks that the boot scripts have listed; -1 when their list cannot be read. A machine without
 * disks has none. */
static int all_disks(const char *run_dir, json_t *disks, struct err *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/disks", run_dir);
    CLEANUP_FREE char *text = NULL;
    size_t length;
    int found = read_file_if_there(path, DISKS_LIMIT, &text, &length, err);
    if (found <= 0)
        return found;
    char *rest = text, *line;
    while ((line = strsep(&rest, "\n"))) {
        json_t *disk = disk_json(line);
        if (disk)
            json_array_append_new(disks, disk);
    }
    return 0;
}

json_t *inventory_disks(const char *run_dir)
{
    json_t *disks = json_array();
    struct err err;
    if (all_disks(run_dir, disks, &err) < 0)
        log_error("the disks cannot be told: %s", err.message);
    while (json_array_size(disks) > DISKS_MAX)
        json_array_remove(disks, json_array_size(disks) - 1);
    return disks;
}

static void too_many(struct agent *agent, const char *key, const char *what, size_t count,
                     size_t most)
{
    struct err error;
    if (count <= most)
        return;
    err_set(&error, ERR_INTERNAL, "the machine has %zu %s; the first %zu are told of", count, what,
            most);
    problem_set(agent, key, &error);
}

/* What is wrong with a disk in this state; ERR_NONE for one that is used, or is left out on
 * purpose. */
static enum err_code disk_trouble(const char *state)
{
    static const struct {
        const char *state;
        enum err_code code;
    } troubles[] = {
        {"foreign", ERR_DISK_FOREIGN},     {"too_small", ERR_DISK_TOO_SMALL},
        {"unreadable", ERR_STORAGE_ERROR}, {"failed", ERR_STORAGE_ERROR},
        {"duplicate", ERR_STORAGE_ERROR},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(troubles); i++)
        if (strcmp(state, troubles[i].state) == 0)
            return troubles[i].code;
    return ERR_NONE;
}

void inventory_problems(struct agent *agent)
{
    json_t *disks = json_array(), *disk;
    size_t index, cards;
    struct err error;
    char **names = card_names(agent->options.sysfs, &cards);
    for (size_t i = 0; i < cards; i++)
        free(names[i]);
    free(names);
    too_many(agent, "many-nics", "network cards", cards, NICS_MAX);
    if (all_disks(agent->options.run_dir, disks, &error) < 0)
        problem_set(agent, "many-disks", &error);
    too_many(agent, "many-disks", "disks", json_array_size(disks), DISKS_MAX);
    json_array_foreach(disks, index, disk)
    {
        const char *name = json_string_value(json_object_get(disk, "name"));
        const char *state = json_string_value(json_object_get(disk, "state"));
        const char *reason = json_string_value(json_object_get(disk, "reason"));
        enum err_code code = disk_trouble(state);
        char key[64];
        if (code == ERR_NONE)
            continue;
        snprintf(key, sizeof(key), "disk-%.40s", name);
        err_set(&error, code, "disk %s is left alone: %s", name, reason ? reason : state);
        problem_set(agent, key, &error);
    }
    json_decref(disks);
    if (!agent->storage) {
        err_set(&error, ERR_NO_DISK,
                "no disk could be used: the node provisions nothing and has to enrol at each boot");
        problem_set(agent, "storage", &error);
    }
}
