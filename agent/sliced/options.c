/* The command line. */
#include "sliced/options.h"

#include "conf/conf.h"
#include "node/options.h"
#include "operation/task.h"
#include "store/outbox.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_SECONDS_DEFAULT 30

static const char usage[] =
    "usage: sliced [OPTION]...\n"
    "  --state-dir DIR    store and identity (/state/agent)\n"
    "  --run-dir DIR      boot parameters, status files, socket (/run/slicenode)\n"
    "  --libexec DIR      sliced-net and sliced-import (/usr/lib/slicenode)\n"
    "  --kernels-dir DIR  the operator's kernels (/state/kernels)\n"
    "  --console-dir DIR  the slices' consoles (/state/console)\n"
    "  --grub-dir DIR     pvgrub's images (/usr/lib/grub-xen)\n"
    "  --backend KIND     xen, or sim in a build for tests\n"
    "  --pool NAME        device mapper's name of the thin pool (slicenode-pool)\n"
    "  --no-storage       run without disks (implied when the state folder is no mounted disk)\n"
    "  --workers N        requests at work at a time (8)\n"
    "  --events N         events kept for a controller that is away (100000)\n"
    "  --call-seconds N   how long a call to the controller may take (30)\n"
    "  --console PATH     also print notices and errors there (/dev/console, with xen)\n"
    "  --sim DIR          folder of the simulated node\n"
    "  --sysfs DIR        instead of /sys\n"
    "  --procfs DIR       instead of /proc\n"
    "  --kernel-log PATH  where disks' errors are seen (/dev/kmsg, with xen)\n"
    "  --verbose          log what is for debugging\n";

enum {
    OPTION_STATE_DIR = 256,
    OPTION_RUN_DIR,
    OPTION_LIBEXEC,
    OPTION_KERNELS_DIR,
    OPTION_CONSOLE_DIR,
    OPTION_GRUB_DIR,
    OPTION_BACKEND,
    OPTION_POOL,
    OPTION_NO_STORAGE,
    OPTION_WORKERS,
    OPTION_EVENTS,
    OPTION_CALL_SECONDS,
    OPTION_CONSOLE,
    OPTION_SIM,
    OPTION_SYSFS,
    OPTION_PROCFS,
    OPTION_KERNEL_LOG,
    OPTION_VERBOSE,
    OPTION_HELP
};

static const struct option long_options[] = {{"state-dir", 1, NULL, OPTION_STATE_DIR},
                                             {"run-dir", 1, NULL, OPTION_RUN_DIR},
                                             {"libexec", 1, NULL, OPTION_LIBEXEC},
                                             {"kernels-dir", 1, NULL, OPTION_KERNELS_DIR},
                                             {"console-dir", 1, NULL, OPTION_CONSOLE_DIR},
                                             {"grub-dir", 1, NULL, OPTION_GRUB_DIR},
                                             {"backend", 1, NULL, OPTION_BACKEND},
                                             {"pool", 1, NULL, OPTION_POOL},
                                             {"no-storage", 0, NULL, OPTION_NO_STORAGE},
                                             {"workers", 1, NULL, OPTION_WORKERS},
                                             {"events", 1, NULL, OPTION_EVENTS},
                                             {"call-seconds", 1, NULL, OPTION_CALL_SECONDS},
                                             {"console", 1, NULL, OPTION_CONSOLE},
                                             {"sim", 1, NULL, OPTION_SIM},
                                             {"sysfs", 1, NULL, OPTION_SYSFS},
                                             {"procfs", 1, NULL, OPTION_PROCFS},
                                             {"kernel-log", 1, NULL, OPTION_KERNEL_LOG},
                                             {"verbose", 0, NULL, OPTION_VERBOSE},
                                             {"help", 0, NULL, OPTION_HELP},
                                             {NULL, 0, NULL, 0}};

static void option_wrong(const char *why, const char *what)
{
    fprintf(stderr, "sliced: %s%s\n%s", why, what, usage);
    exit(2);
}

static unsigned number(const char *text, unsigned long least, unsigned long most, const char *why)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*end || value < least || value > most)
        option_wrong(why, text);
    return (unsigned)value;
}

static const char **text_option(struct options *options, int option)
{
    switch (option) {
    case OPTION_STATE_DIR:
        return &options->state_dir;
    case OPTION_RUN_DIR:
        return &options->run_dir;
    case OPTION_LIBEXEC:
        return &options->libexec;
    case OPTION_KERNELS_DIR:
        return &options->kernels_dir;
    case OPTION_CONSOLE_DIR:
        return &options->console_dir;
    case OPTION_GRUB_DIR:
        return &options->grub_dir;
    case OPTION_BACKEND:
        return &options->backend;
    case OPTION_POOL:
        return &options->pool;
    case OPTION_CONSOLE:
        return &options->console;
    case OPTION_SIM:
        return &options->sim_dir;
    case OPTION_SYSFS:
        return &options->sysfs;
    case OPTION_PROCFS:
        return &options->procfs;
    case OPTION_KERNEL_LOG:
        return &options->kernel_log;
    default:
        return NULL;
    }
}

void options_parse(int argc, char **argv, struct options *options)
{
    int option;
    *options = (struct options){.state_dir = "/state/agent",
                                .run_dir = "/run/slicenode",
                                .libexec = "/usr/lib/slicenode",
                                .kernels_dir = "/state/kernels",
                                .console_dir = "/state/console",
                                .grub_dir = "/usr/lib/grub-xen",
                                .backend = "xen",
                                .pool = "slicenode-pool",
                                .sysfs = "/sys",
                                .procfs = "/proc",
                                .workers = TASK_WORKERS_DEFAULT,
                                .events_max = OUTBOX_EVENTS_MAX,
                                .call_seconds = CALL_SECONDS_DEFAULT};
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        const char **text = text_option(options, option);
        if (text) {
            *text = optarg;
        } else if (option == OPTION_NO_STORAGE) {
            options->no_storage = true;
        } else if (option == OPTION_VERBOSE) {
            options->verbose = true;
        } else if (option == OPTION_WORKERS) {
            options->workers = number(optarg, 1, 64, "--workers must be 1 to 64, not ");
        } else if (option == OPTION_EVENTS) {
            options->events_max =
                number(optarg, 100, 1000000, "--events must be 100 to 1000000, not ");
        } else if (option == OPTION_CALL_SECONDS) {
            options->call_seconds = number(optarg, 1, 300, "--call-seconds must be 1 to 300, not ");
        } else if (option == OPTION_HELP) {
            fputs(usage, stdout);
            exit(0);
        } else {
            option_wrong("wrong option", "");
        }
    }
    /* On a real node whoever stands there sees what goes on. */
    if (!options->console && strcmp(options->backend, "xen") == 0)
        options->console = "/dev/console";
    if (!options->kernel_log && strcmp(options->backend, "xen") == 0)
        options->kernel_log = "/dev/kmsg";
    if (optind < argc)
        option_wrong("unexpected argument ", argv[optind]);
}
