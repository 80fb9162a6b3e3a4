#include "health/sensor.h"

#include "base/file.h"
#include "base/memory.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Silicon works to 150 °C; below 20 °C nothing is too hot. */
#define SENSIBLE_LEAST 20000
#define SENSIBLE_MOST 150000

bool sensor_is_critical(long value, long bound)
{
    return bound >= SENSIBLE_LEAST && bound <= SENSIBLE_MOST && value >= bound &&
           value <= SENSIBLE_MOST;
}

/* -1 when there is no such file or no number in it. */
static long number_in(const char *folder, const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", folder, name);
    CLEANUP_FREE char *text = NULL;
    size_t length;
    char *end;
    long value;

    if (read_file(path, 64, &text, &length, NULL) < 0)
        return -1;
    value = strtol(text, &end, 10);
    return end == text ? -1 : value;
}

static void name_of(const char *folder, char *name, size_t size)
{
    CLEANUP_FREE char *path = xasprintf("%s/name", folder);
    CLEANUP_FREE char *text = NULL;
    size_t length;

    snprintf(name, size, "sensor");
    if (read_file(path, 64, &text, &length, NULL) == 0)
        snprintf(name, size, "%.*s", (int)strcspn(text, "\n"), text);
}

static void add(char text[static SENSOR_TEXT_BYTES], const char *more)
{
    size_t used = strlen(text);
    snprintf(text + used, SENSOR_TEXT_BYTES - used, "%s%s", used ? ", " : "", more);
}

static void read_temperature(const char *folder, const char *name, int number, char *text)
{
    char file[32], more[100];
    long value, bound;

    snprintf(file, sizeof(file), "temp%d_input", number);
    value = number_in(folder, file);
    snprintf(file, sizeof(file), "temp%d_crit", number);
    bound = number_in(folder, file);
    if (!sensor_is_critical(value, bound))
        return;
    snprintf(more, sizeof(more), "%s has more than %ld °C", name, bound / 1000);
    add(text, more);
}

static void read_fan(const char *folder, const char *name, int number, char *text)
{
    char file[32], more[100];

    snprintf(file, sizeof(file), "fan%d_alarm", number);
    if (number_in(folder, file) != 1) {
        snprintf(file, sizeof(file), "fan%d_fault", number);
        if (number_in(folder, file) != 1)
            return;
    }
    snprintf(more, sizeof(more), "fan %d of %s stands still or is too slow", number, name);
    add(text, more);
}

static void read_chip(const char *folder, char *text)
{
    DIR *entries = opendir(folder);
    struct dirent *entry;
    char name[40], rest;
    int number;

    name_of(folder, name, sizeof(name));
    while (entries && (entry = readdir(entries))) {
        if (sscanf(entry->d_name, "temp%d_inpu%c", &number, &rest) == 2)
            read_temperature(folder, name, number, text);
        else if (sscanf(entry->d_name, "fan%d_inpu%c", &number, &rest) == 2)
            read_fan(folder, name, number, text);
    }
    if (entries)
        closedir(entries);
}

static int is_chip(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

void sensors_read(const char *folder, char text[static SENSOR_TEXT_BYTES])
{
    struct dirent **chips;
    int count = scandir(folder, &chips, is_chip, alphasort);

    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        CLEANUP_FREE char *path = xasprintf("%s/%s", folder, chips[i]->d_name);
        read_chip(path, text);
        free(chips[i]);
    }
    if (count >= 0)
        free(chips);
}
