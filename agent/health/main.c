/* slicenode-health: feeds the watchdogs, looks after disks, temperatures and memory, and keeps the
 * kernel's log. Nothing here may wait for a disk: what does is done by children. */
#include "base/log.h"
#include "base/memory.h"
#include "health/disks.h"
#include "health/feeder.h"
#include "health/kernel_log.h"
#include "health/machine_check.h"
#include "health/sensor.h"
#include "health/tell.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: slicenode-health [--run-dir DIR] [--devices DIR] [--sysfs DIR] [--last-words FILE]\n"
    "                        [--alive FILE] [--probe PROGRAM] [--tick SECONDS] [--look SECONDS]\n";

/* Corrected errors are what error correction is for; so many come from a module that will fail. */
#define CORRECTED_MAX 10

struct health {
    const char *run_dir, *devices, *sysfs, *probe;
    unsigned tick_seconds; /* a sixth of the shortest watchdog there is (60 s) */
    unsigned look_seconds; /* a disk wears out over weeks; each look wakes it */
    struct feeder feeder;
    struct disks *disks;
    struct kernel_log log;
    struct machine_checks checks;
    int mce;
    pid_t sensors;
    int sensors_pipe;
    const char *alive; /* file whose time says when the machine was last seen alive; NULL: none */
    pid_t toucher;
};

static time_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

/* --- Sensors ---------------------------------------------------------------------------------- */

static void ask_sensors(struct health *health)
{
    int ends[2];

    if (health->sensors != 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return;
    health->sensors = fork();
    if (health->sensors == 0) {
        CLEANUP_FREE char *folder = xasprintf("%s/class/hwmon", health->sysfs);
        char text[SENSOR_TEXT_BYTES];
        sensors_read(folder, text);
        _exit(write(ends[1], text, sizeof(text)) == sizeof(text) ? 0 : 1);
    }
    close(ends[1]);
    if (health->sensors < 0) {
        health->sensors = 0;
        close(ends[0]);
        return;
    }
    health->sensors_pipe = ends[0];
}

static void collect_sensors(struct health *health)
{
    char text[SENSOR_TEXT_BYTES];

    if (health->sensors == 0 || waitpid(health->sensors, NULL, WNOHANG) != health->sensors)
        return;
    health->sensors = 0;
    if (read(health->sensors_pipe, text, sizeof(text)) == sizeof(text)) {
        text[sizeof(text) - 1] = '\0';
        CLEANUP_FREE char *message =
            text[0] ? xasprintf("the machine is too hot or not cooled: %s", text) : NULL;
        tell(health->run_dir, "sensors", "hypervisor_error", message);
    }
    close(health->sensors_pipe);
}

/* --- Memory, processors, buses ---------------------------------------------------------------- */

static void collect_machine_checks(struct health *health)
{
    char records[MACHINE_CHECKS_MAX * MACHINE_CHECK_BYTES];
    struct machine_checks *checks = &health->checks;
    CLEANUP_FREE char *message = NULL;
    ssize_t length;

    if (health->mce < 0 || (length = read(health->mce, records, sizeof(records))) <= 0)
        return;
    machine_checks_add(checks, records, (size_t)length);
    if (checks->uncorrected > 0)
        message = xasprintf("the processor in socket %u reports an error that could not be "
                            "corrected (bank %u): see the machine's event log, memory first",
                            checks->socket, checks->bank);
    else if (checks->corrected >= CORRECTED_MAX)
        message = xasprintf("the processor in socket %u reports one corrected error after the "
                            "other (bank %u): see the machine's event log, memory first",
                            checks->socket, checks->bank);
    if (message)
        tell(health->run_dir, "machine-checks", "hypervisor_error", message);
}

/* --- Alive ------------------------------------------------------------------------------------ */

/* By a child: the file lies on a disk. It is there while the node runs (rc/last-boot). */
static void touch_alive(struct health *health)
{
    if (health->toucher > 0 && waitpid(health->toucher, NULL, WNOHANG) == 0)
        return;
    health->toucher = fork();
    if (health->toucher == 0)
        _exit(utimensat(AT_FDCWD, health->alive, NULL, 0) == 0 ? 0 : 1);
}

/* --- Always ----------------------------------------------------------------------------------- */

static void tick(struct health *health)
{
    feeder_tick(&health->feeder, health->probe);
    disks_collect(health->disks);
    collect_sensors(health);
    collect_machine_checks(health);
}

static void look(struct health *health)
{
    disks_ask(health->disks);
    ask_sensors(health);
    if (health->alive)
        touch_alive(health);
}

static void run(struct health *health)
{
    time_t next_tick = now(), next_look = now();

    for (;;) {
        time_t time = now();
        if (time >= next_look) {
            look(health);
            next_look = time + health->look_seconds;
        }
        if (time >= next_tick) {
            tick(health);
            next_tick = time + health->tick_seconds;
        }
        kernel_log_wait(&health->log, (int)(next_tick - now()) * 1000);
    }
}

static unsigned seconds(const char *text)
{
    unsigned long number = strtoul(text, NULL, 10);

    if (number < 1 || number > 86400) {
        fputs(usage, stderr);
        exit(2);
    }
    return (unsigned)number;
}

static void open_logs(struct health *health, const char *last_words)
{
    CLEANUP_FREE char *mcelog = xasprintf("%s/mcelog", health->devices);
    CLEANUP_FREE char *kmsg = xasprintf("%s/kmsg", health->devices);

    health->mce = open(mcelog, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    kernel_log_open(&health->log, kmsg, last_words);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"run-dir", 1, NULL, 'r'},    {"devices", 1, NULL, 'd'}, {"sysfs", 1, NULL, 's'},
        {"probe", 1, NULL, 'p'},      {"tick", 1, NULL, 't'},    {"look", 1, NULL, 'l'},
        {"last-words", 1, NULL, 'w'}, {"alive", 1, NULL, 'a'},   {NULL, 0, NULL, 0}};
    struct health health = {.run_dir = "/run/slicenode",
                            .devices = "/dev",
                            .sysfs = "/sys",
                            .probe = "/bin/true",
                            .tick_seconds = 10,
                            .look_seconds = 300};
    const char *last_words = NULL;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'r':
            health.run_dir = optarg;
            break;
        case 'd':
            health.devices = optarg;
            break;
        case 's':
            health.sysfs = optarg;
            break;
        case 'p':
            health.probe = optarg;
            break;
        case 't':
            health.tick_seconds = seconds(optarg);
            break;
        case 'l':
            health.look_seconds = seconds(optarg);
            break;
        case 'a':
            health.alive = optarg;
            break;
        case 'w':
            last_words = optarg;
            break;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    signal(SIGPIPE, SIG_IGN);
    log_open("slicenode-health", LOG_LEVEL_INFO, NULL);
    log_never_waits();
    open_logs(&health, last_words);
    health.disks = disks_open(health.run_dir);
    feeder_open(&health.feeder, health.devices);
    run(&health);
}
