/* Xen's command line, asked of Xen itself: nothing in /sys or /proc shows it. Without libxc, which
 * would make a program of a few kilobytes one of several hundred. */
#include "base/memory.h"
#include "conf/conf.h"
#include "conf/xen.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Xen's public interface: xen.h, version.h, and Linux's include/uapi of privcmd. */
#define HYPERCALL_XEN_VERSION 17
#define XENVER_COMMAND_LINE 9
#define COMMAND_LINE_BYTES 1024

struct privcmd_hypercall {
    uint64_t op;
    uint64_t arg[5];
};

#define PRIVCMD_HYPERCALL _IOC(_IOC_NONE, 'P', 0, sizeof(struct privcmd_hypercall))

char *xen_command_line(void)
{
    /* Written by Xen, which does not wait for a page that is not there: it is touched before. */
    static char line[COMMAND_LINE_BYTES] __attribute__((aligned(COMMAND_LINE_BYTES)));
    struct privcmd_hypercall call = {.op = HYPERCALL_XEN_VERSION,
                                     .arg = {XENVER_COMMAND_LINE, (uintptr_t)line}};
    CLEANUP_CLOSE int fd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    memset(line, '\n', sizeof(line));
    if (ioctl(fd, PRIVCMD_HYPERCALL, &call) < 0)
        return NULL;
    line[sizeof(line) - 1] = '\0';
    return xstrdup(line);
}

/* --- Whether it has what the configuration says ---------------------------------------------- */

/* The words that Xen's command line must have, separated by blanks. scripts/personalise writes the
 * same ones (tests/image/test_personalise.py compares the two). */
static char *xen_words(enum conf_key key, const char *value)
{
    const char *name = conf_key_name(key);

    switch (key) {
    case CONF_SMT:
    case CONF_SPEC_CTRL:
    case CONF_SCHED_GRAN:
    case CONF_DOM0_MAX_VCPUS:
        return xasprintf("%s=%s", name, value);
    case CONF_DOM0_MEM:
        return xasprintf("%s=%s,max:%s", name, value, value);
    case CONF_SERIAL:
        if (strcmp(value, "none") == 0)
            return xstrdup("console=vga");
        return xasprintf("console=%.4s,vga %.4s=%s%s", value, value, value + 5,
                         strchr(value + 5, ',') ? "" : ",8n1");
    default:
        return NULL;
    }
}

/* The last word of Xen's line with this word's name, which is the one that counts; NULL: none. */
static char *last_of_name(const char *line, const char *word)
{
    size_t name = strcspn(word, "=") + 1;
    char *found = NULL;

    while (*line) {
        size_t length = strcspn(line, " ");
        if (length >= name && strncmp(line, word, name) == 0) {
            free(found);
            found = xasprintf("%.*s", (int)length, line);
        }
        line += length + strspn(line + length, " ");
    }
    return found;
}

static bool means_the_same(const char *wanted, const char *found)
{
    static const char *const pairs[][2] = {
        {"smt=on", "1"},  {"smt=on", "true"},   {"smt=on", "yes"}, {"smt=on", "enable"},
        {"smt=off", "0"}, {"smt=off", "false"}, {"smt=off", "no"}, {"smt=off", "disable"}};

    if (strcmp(wanted, found) == 0)
        return true;
    for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++)
        if (strcmp(wanted, pairs[i][0]) == 0 && strcmp(found + strlen("smt="), pairs[i][1]) == 0)
            return true;
    return false;
}

static void compare(struct conf *conf, enum conf_key key, const char *line)
{
    const struct conf_value *value = &conf->values[key];
    CLEANUP_FREE char *words = value->text ? xen_words(key, value->text) : NULL;
    char *rest = words, *word;

    while (rest && (word = strsep(&rest, " "))) {
        CLEANUP_FREE char *found = last_of_name(line, word);
        if (found && means_the_same(word, found))
            continue;
        conf_problem(conf,
                     "%s=%s is set in %s, but Xen was started with%s%s: write it into the boot "
                     "medium with scripts/personalise, or behind xen.gz in pxelinux.cfg",
                     conf_key_name(key), value->text, value->where, found ? " " : "out ",
                     found ? found : "it");
        return;
    }
}

void conf_compare_xen(struct conf *conf, const char *line)
{
    for (unsigned key = 0; line && key < CONF_KEY_COUNT; key++)
        compare(conf, (enum conf_key)key, line);
}
