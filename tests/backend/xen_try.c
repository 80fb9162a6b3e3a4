/* backend/xen by hand and in trials, in dom0. Each command prints what it found and how long it took.
 *
 *   xen-try host | free | list
 *   xen-try start UUID pvh|pv MIB VCPUS KERNEL DISK [ramdisk=PATH] [cmdline=TEXT] [seed=PATH]
 *                 [bridge=NAME]...
 *   xen-try shutdown UUID | reboot UUID | destroy UUID | counters UUID
 *   xen-try wait UUID SECONDS      until the domain has shut down, with the reason
 *   xen-try save UUID VOLUME       prints the mark of the saved memory
 *   xen-try resume UUID | run UUID
 *   xen-try restore VOLUME BYTES CRC UUID pvh|pv MIB ...   as for start, but paused
 */
#include "backend/backend.h"
#include "backend/xen/build.h"
#include "backend/xen/host.h"
#include "backend/xen/list.h"
#include "backend/xen/open.h"
#include "backend/xen/stop.h"
#include "backend/xen/xen.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/nic.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "try.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct hypervisor xen;
static struct err err;

static const char *const states[] = {"running", "paused", "shutdown", "dying"};
static const char *const reasons[] = {"none", "poweroff", "reboot", "crash", "suspend", "other"};

static int fail(const char *what)
{
    printf("%s: FAILED: %s: %s\n", what, err_code_name(err.code), err.message);
    return 1;
}

static int command_host(void)
{
    struct host_info host;

    if (xen.host(xen.state, &host, &err) < 0)
        return fail("host");
    printf("host: xen=%s cpu=\"%s\" threads=%u memory=%" PRIu64 " free=%" PRIu64 " pvh=%d pv=%d\n",
           host.hypervisor_version, host.cpu_model, host.threads, host.memory_mib,
           host.memory_free_mib, host.pvh, host.pv);
    return 0;
}

/* To the page, for measuring what a domain costs. */
static int command_free(void)
{
    uint64_t free_kib;

    if (be_xen_free_kib(xen.state, &free_kib, &err) < 0)
        return fail("free");
    printf("free: %" PRIu64 " KiB\n", free_kib);
    return 0;
}

static size_t list(struct domain_info **domains)
{
    size_t count = 0;

    if (xen.domain_list(xen.state, domains, &count, &err) < 0)
        fail("list");
    return count;
}

static int command_list(void)
{
    CLEANUP_FREE struct domain_info *domains = NULL;
    size_t count = list(&domains);

    printf("list: %zu domains\n", count);
    for (size_t i = 0; i < count; i++)
        printf("domain: %s id=%d state=%s reason=%s cpu_ms=%" PRIu64 " memory_kib=%" PRIu64 "\n",
               domains[i].slice, domains[i].domain_id, states[domains[i].state],
               reasons[domains[i].reason], domains[i].cpu_ms, domains[i].memory_kib);
    return 0;
}

/* Reads the options after the six fixed arguments of `start`. */
static void parse_options(char **options, struct domain_config *config, struct slice *slice)
{
    for (; *options; options++) {
        char *value = strchr(*options, '=');

        if (!value)
            continue;
        value++;
        if (strncmp(*options, "ramdisk=", 8) == 0)
            config->ramdisk_path = value;
        else if (strncmp(*options, "cmdline=", 8) == 0)
            config->command_line = value;
        else if (strncmp(*options, "seed=", 5) == 0)
            config->seed_path = value;
        else if (strncmp(*options, "bridge=", 7) == 0) {
            slice->nics = xrealloc(slice->nics, (slice->nic_count + 1) * sizeof(*slice->nics));
            struct nic *nic = &slice->nics[slice->nic_count];
            *nic = (struct nic){0};
            copy_text(nic->bridge, sizeof(nic->bridge), value);
            snprintf(nic->mac, sizeof(nic->mac), "00:16:3e:00:00:%02x", ++slice->nic_count);
        }
    }
}

/* `saved` is VOLUME BYTES CRC, or NULL to start anew. */
static int command_start(char **saved, char **arguments)
{
    struct slice slice = {.type = strcmp(arguments[1], "pv") == 0 ? SLICE_PV : SLICE_PVH,
                          .memory_mib = strtoull(arguments[2], NULL, 10),
                          .vcpus = (unsigned)atoi(arguments[3])};
    struct domain_config config = {
        .slice = &slice, .kernel_path = arguments[4], .disk_path = arguments[5]};
    int domain_id = -1;

    copy_text(slice.id, sizeof(slice.id), arguments[0]);
    parse_options(arguments + 6, &config, &slice);
    if (saved) {
        struct memory_mark mark = {.bytes = strtoull(saved[1], NULL, 10),
                                   .crc = strtoull(saved[2], NULL, 16)};
        if (xen.domain_restore(xen.state, &config, saved[0], &mark, &err) < 0)
            return fail("restore");
        puts("restore: done");
        return 0;
    }
    if (xen.domain_start(xen.state, &config, &domain_id, &err) < 0)
        return fail("start");
    printf("start: domain %d\n", domain_id);
    return 0;
}

static int command_save(const char *slice, const char *path)
{
    struct memory_mark mark;

    if (xen.domain_save(xen.state, slice, path, &mark, &err) < 0)
        return fail("save");
    printf("save: %" PRIu64 " %016" PRIx64 "\n", mark.bytes, mark.crc);
    return 0;
}

static int command_counters(const char *slice)
{
    CLEANUP_FREE struct domain_info *domains = NULL;
    size_t count = list(&domains);
    CLEANUP_FREE struct domain_counters *counters = xcalloc(count + 1, sizeof(*counters));

    if (xen.counters(xen.state, domains, count, counters, &err) < 0)
        return fail("counters");
    for (size_t i = 0; i < count; i++)
        if (strcmp(domains[i].slice, slice) == 0)
            printf("counters: read=%" PRIu64 " written=%" PRIu64 " received=%" PRIu64
                   " sent=%" PRIu64 "\n",
                   counters[i].disk_read_bytes, counters[i].disk_written_bytes,
                   counters[i].net_received_bytes, counters[i].net_sent_bytes);
    return 0;
}

/* 0 once the slice's domain has shut down or is gone, 1 while it lives. */
static int still_alive(const char *slice)
{
    CLEANUP_FREE struct domain_info *domains = NULL;
    size_t count = list(&domains);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(domains[i].slice, slice) != 0)
            continue;
        if (domains[i].state == DOMAIN_RUNNING || domains[i].state == DOMAIN_PAUSED)
            return 1;
        printf("wait: %s reason=%s\n", states[domains[i].state], reasons[domains[i].reason]);
        return 0;
    }
    puts("wait: gone");
    return 0;
}

/* Waits on the watch alone, as the agent does. */
static int command_wait(const char *slice, int seconds)
{
    uint64_t until = monotonic_ms() + (uint64_t)seconds * 1000;
    struct pollfd wake = {.fd = xen.watch_fd(xen.state), .events = POLLIN};

    while (still_alive(slice)) {
        uint64_t now = monotonic_ms();
        if (now >= until || poll(&wake, 1, (int)(until - now)) == 0)
            return puts("wait: timeout"), 1;
        if (xen.watch_read(xen.state, &err) < 0)
            return fail("wait");
    }
    return 0;
}

static int command_simple(const char *command, const char *slice)
{
    int domain_id;
    int result = strcmp(command, "destroy") == 0  ? xen.domain_destroy(xen.state, slice, &err)
                 : strcmp(command, "resume") == 0 ? xen.domain_resume(xen.state, slice, &err)
                 : strcmp(command, "run") == 0
                     ? xen.domain_run(xen.state, slice, &domain_id, &err)
                     : xen.domain_shutdown(xen.state, slice, strcmp(command, "reboot") == 0, &err);

    if (result < 0)
        return fail(command);
    printf("%s: done\n", command);
    return 0;
}

static int run(int argc, char **argv)
{
    const char *command = argv[1];

    if (strcmp(command, "host") == 0)
        return command_host();
    if (strcmp(command, "free") == 0)
        return command_free();
    if (strcmp(command, "list") == 0)
        return command_list();
    if (strcmp(command, "start") == 0 && argc >= 8)
        return command_start(NULL, argv + 2);
    if (strcmp(command, "restore") == 0 && argc >= 11)
        return command_start(argv + 2, argv + 5);
    if (strcmp(command, "save") == 0 && argc == 4)
        return command_save(argv[2], argv[3]);
    if (strcmp(command, "wait") == 0 && argc == 4)
        return command_wait(argv[2], atoi(argv[3]));
    if (strcmp(command, "counters") == 0 && argc == 3)
        return command_counters(argv[2]);
    if (argc == 3)
        return command_simple(command, argv[2]);
    fprintf(stderr, "xen-try: see the top of xen_try.c\n");
    return 2;
}

int main(int argc, char **argv)
{
    uint64_t started = monotonic_ms();

    if (argc < 2)
        return 2;
    log_open("xen-try", getenv("XEN_TRY_DEBUG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, NULL);
    if (be_xen_open(&xen, &err) < 0)
        return fail("open");
    try_time("open", started);
    started = monotonic_ms();
    int status = run(argc, argv);
    try_time(argv[1], started);
    xen.close(xen.state);
    return status;
}
