/* slicenode-conf: merges the boot parameters of the kernel command line and of the files named, in
 * this order of weight: command line, last file ... first file. Writes one file per key that was
 * given, and `problems` with one line per problem. With --lease: the lease that udhcpc has put into
 * the environment, checked, for rc/dhcp-event. */
#include "base/check.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "conf/boot_card.h"
#include "conf/conf.h"
#include "conf/lease.h"
#include "conf/xen.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Linux keeps 2048 bytes of it, Xen 1024. */
#define COMMAND_LINE_LIMIT (16u << 10)
/* Boot options of real firmware have a hundred bytes. */
#define VARIABLE_LIMIT (64u << 10)
#define VARIABLE_ATTRIBUTES 4

static const char usage[] = "usage: slicenode-conf --output FOLDER [--cmdline FILE] [--xen FILE] "
                            "[--efivars FOLDER] [CONF-FILE ...]\n"
                            "       slicenode-conf --lease\n";

#define MEDIUM "medium-"

/* A source as it is called in messages: what rc/40-conf has copied from a boot medium by where it
 * came from. */
static char *name_of(const char *path)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

    if (strcmp(path, "/slicenode.conf") == 0)
        return xstrdup("slicenode.conf in the image");
    if (strncmp(name, MEDIUM, strlen(MEDIUM)) == 0)
        return xasprintf("slicenode.conf on %.*s", (int)strcspn(name + strlen(MEDIUM), "."),
                         name + strlen(MEDIUM));
    return xstrdup(path);
}

static void read_sources(struct conf *conf, const char *command_line, char *const *files)
{
    struct err err;
    size_t length;
    char *text;

    for (; *files; files++) {
        if (read_file(*files, CONF_FILE_LIMIT, &text, &length, &err) < 0) {
            conf_problem(conf, "%s", err.message);
            continue;
        }
        CLEANUP_FREE char *name = name_of(*files);
        conf_file(conf, name, text, length);
        free(text);
    }
    if (read_file(command_line, COMMAND_LINE_LIMIT, &text, NULL, &err) < 0) {
        conf_problem(conf, "%s", err.message);
        return;
    }
    conf_command_line(conf, text);
    free(text);
}

/* From a file, for who checks a conf on another machine; else of the Xen that runs here. */
static void compare_with_xen(struct conf *conf, const char *path)
{
    CLEANUP_FREE char *line = NULL;
    struct err err;

    if (!path)
        line = xen_command_line();
    else if (read_file(path, COMMAND_LINE_LIMIT, &line, NULL, &err) < 0)
        conf_problem(conf, "%s", err.message);
    if (line)
        line[strcspn(line, "\n")] = '\0';
    conf_compare_xen(conf, line);
}

/* A variable of UEFI's as efivarfs has it: four bytes of attributes, then the value; its length, or
 * 0. The caller owns the text. */
static size_t read_variable(const char *folder, const char *name, char **text)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s-8be4df61-93ca-11d2-aa0d-00e098032b8c", folder, name);
    size_t length;

    if (read_file(path, VARIABLE_LIMIT, text, &length, NULL) < 0) {
        *text = NULL;
        return 0;
    }
    return length > VARIABLE_ATTRIBUTES ? length - VARIABLE_ATTRIBUTES : 0;
}

/* The card that UEFI has booted from, whatever has been loaded by it since. */
static char *boot_card_of_efi(const char *folder)
{
    CLEANUP_FREE char *current = NULL;
    CLEANUP_FREE char *option = NULL;
    char name[sizeof("Boot0000")];
    size_t length;

    if (read_variable(folder, "BootCurrent", &current) != 2)
        return NULL;
    snprintf(name, sizeof(name), "Boot%02X%02X", (unsigned char)current[VARIABLE_ATTRIBUTES + 1],
             (unsigned char)current[VARIABLE_ATTRIBUTES]);
    length = read_variable(folder, name, &option);
    return length == 0
               ? NULL
               : boot_card_of_option((const unsigned char *)option + VARIABLE_ATTRIBUTES, length);
}

/* By Linux's line, or Xen's, where pxelinux and iPXE put it, or by UEFI's own word. */
static char *find_boot_card(const char *command_line, const char *xen_path, const char *efi)
{
    CLEANUP_FREE char *line = NULL;
    CLEANUP_FREE char *xen = NULL;
    char *card = NULL;

    if (read_file(command_line, COMMAND_LINE_LIMIT, &line, NULL, NULL) == 0)
        card = boot_card_of_line(line);
    if (!card && !xen_path)
        xen = xen_command_line();
    else if (!card && read_file(xen_path, COMMAND_LINE_LIMIT, &xen, NULL, NULL) < 0)
        xen = NULL;
    if (!card)
        card = boot_card_of_line(xen);
    return card || !efi ? card : boot_card_of_efi(efi);
}

static int write_key(const char *folder, const char *name, const char *text, struct err *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", folder, name);
    CLEANUP_FREE char *line = NULL;

    if (!text) {
        if (unlink(path) < 0 && errno != ENOENT)
            return err_errno(err, ERR_INTERNAL, errno, "%s", path);
        return 0;
    }
    line = xasprintf("%s%s", text, *text && text[strlen(text) - 1] != '\n' ? "\n" : "");
    return write_file(path, line, strlen(line), 0600, err);
}

static char *problem_lines(const struct conf *conf)
{
    char *text = xstrdup("");

    for (unsigned i = 0; i < conf->problem_count && i < CONF_PROBLEMS_MAX; i++) {
        char *longer =
            xasprintf("%s%s\t%s\n", text, err_code_name(ERR_CONF_INVALID), conf->problems[i]);
        free(text);
        text = longer;
    }
    if (conf->problem_count > CONF_PROBLEMS_MAX) {
        char *longer =
            xasprintf("%s%s\t%u more problems in the boot parameters\n", text,
                      err_code_name(ERR_CONF_INVALID), conf->problem_count - CONF_PROBLEMS_MAX);
        free(text);
        text = longer;
    }
    return text;
}

static int write_all(const char *folder, const struct conf *conf, struct err *err)
{
    CLEANUP_FREE char *problems = problem_lines(conf);

    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        return err_errno(err, ERR_INTERNAL, errno, "%s", folder);
    for (unsigned key = 0; key < CONF_KEY_COUNT; key++)
        if (write_key(folder, conf_key_name((enum conf_key)key), conf->values[key].text, err) < 0)
            return -1;
    return write_key(folder, "problems", problems, err);
}

static const char *from_environment(const char *name)
{
    return getenv(name);
}

/* Prints the lease, or why it is none; see conf/lease.h. */
static int print_lease(void)
{
    struct err err;
    CLEANUP_FREE char *text = lease_read(from_environment, &err);

    if (text)
        fputs(text, stdout);
    else
        printf("%s\n", err.message);
    return text ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                            {"cmdline", required_argument, NULL, 'c'},
                                            {"xen", required_argument, NULL, 'x'},
                                            {"efivars", required_argument, NULL, 'e'},
                                            {"lease", no_argument, NULL, 'l'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *output = NULL, *command_line = "/proc/cmdline", *xen_line = NULL, *efi = NULL;
    struct conf conf = {.sources = 0};
    char *card;
    struct err err;
    int option, result;

    log_open("slicenode-conf", LOG_LEVEL_INFO, NULL);
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'o':
            output = optarg;
            break;
        case 'c':
            command_line = optarg;
            break;
        case 'l':
            return print_lease();
        case 'e':
            efi = optarg;
            break;
        case 'x':
            xen_line = optarg;
            break;
        default:
            fputs(usage, option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
    }
    if (!output) {
        fputs(usage, stderr);
        return 2;
    }
    umask(077);
    read_sources(&conf, command_line, argv + optind);
    compare_with_xen(&conf, xen_line);
    card = find_boot_card(command_line, xen_line, efi);
    result = write_all(output, &conf, &err);
    if (result == 0)
        result = write_key(output, "bootif", card, &err);
    free(card);
    if (result < 0)
        log_error("%s", err.message);
    conf_free(&conf);
    return result < 0 ? 1 : 0;
}
