/* backend/thin on a real pool.
 *
 *   thin-try POOL                          all checks; uses volume numbers from 1000000 up
 *   thin-try POOL create NAME NUMBER MIB   makes and activates a volume, for other trials
 *   thin-try POOL remove NAME NUMBER
 *   thin-try POOL fill NAME FROM_MIB TO_MIB      writes there, until it fails
 *   thin-try POOL fray NAME NUMBER COPY STEP_MIB takes a snapshot with the number COPY, then makes the
 *                                                volume differ from it all over: metadata, no data
 */
#include "backend/backend.h"
#include "backend/thin/status.h"
#include "backend/thin/volume.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/memory.h"
#include "try.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_ID 1000000u
#define VOLUME_BYTES (64 * MIB)
#define MANY 50

static struct err err;
static struct storage storage;

static void try_parse(void)
{
    static const struct {
        const char *status;
        bool ok, failed, read_only;
        uint64_t data_used;
    } cases[] = {
        {"0 13/1024 5/100 - rw no_discard_passdown queue_if_no_space - 256", true, false, false, 5},
        {"7 13/1024 100/100 - out_of_data_space discard_passdown error_if_no_space - 256", true,
         false, false, 100},
        {"7 13/1024 9/100 77 ro discard_passdown error_if_no_space needs_check 256", true, false,
         true, 9},
        {"7 13/1024 9/100 - rw discard_passdown error_if_no_space needs_check 256", true, false,
         true, 9},
        {"Fail", true, true, false, 0},
        {"Error", true, true, false, 0},
        {"", false, false, false, 0},
        {"0 13/1024 5/", false, false, false, 0},
        {"0 13 1024 5/100 - rw", false, false, false, 0},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct pool_usage usage;
        int result = be_thin_parse_status(cases[i].status, 128, &usage, &err);

        try_check((result == 0) == cases[i].ok, &err, "status \"%s\"", cases[i].status);
        if (result == 0)
            try_check(usage.failed == cases[i].failed && usage.read_only == cases[i].read_only &&
                          usage.data_used_bytes == cases[i].data_used * 65536,
                      NULL, "numbers of \"%s\"", cases[i].status);
    }
}

static void try_mirror(void)
{
    static const struct {
        const char *status;
        bool degraded;
    } cases[] = {
        {"raid1 2 AA 12288/12288 idle 0 0 -", false},
        {"raid1 2 Aa 512/12288 recover 0 0 -", false},
        {"raid1 2 AD 12288/12288 idle 0 0 -", true},
        {"raid1 2 -A 12288/12288 idle 0 0 -", true},
        {"", false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        try_check(be_thin_mirror_degraded(cases[i].status) == cases[i].degraded, NULL,
                  "mirror \"%s\"", cases[i].status);
}

static uint64_t used(void)
{
    struct pool_usage usage;

    if (!try_check(storage.usage(storage.state, &usage, &err) == 0, &err, "usage"))
        return 0;
    return usage.data_used_bytes;
}

static int activate(const char *name, uint32_t id, uint64_t bytes, bool read_only, char *path)
{
    return storage.activate(storage.state, name, id, bytes, read_only, path, &err);
}

/* Fills the first MiB with one byte, or checks that it holds only that. */
static bool fill(const char *path, char value)
{
    CLEANUP_FREE char *data = xcalloc(1, MIB);
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

    memset(data, value, MIB);
    return fd >= 0 && write_full(fd, data, MIB) == 0 && fsync(fd) == 0;
}

static bool holds(const char *path, char value)
{
    CLEANUP_FREE char *data = xcalloc(1, MIB);
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || read_full(fd, data, MIB) != (long)MIB)
        return false;
    for (size_t i = 0; i < MIB; i++)
        if (data[i] != value)
            return false;
    return true;
}

static uint64_t size_of(const char *path)
{
    uint64_t bytes = 0;
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes) < 0)
        return 0;
    return bytes;
}

/* The pool tells of its volumes, this one the last: its number is the highest. */
static void try_listed(uint32_t thin_id)
{
    CLEANUP_FREE uint32_t *ids = NULL;
    size_t count = 0;

    if (try_check(storage.list(storage.state, &ids, &count, &err) == 0, &err, "list"))
        try_check(count > 0 && ids[count - 1] == thin_id, NULL, "the new volume is listed");
}

static void try_life(void)
{
    char path[VOLUME_PATH_BYTES], again[VOLUME_PATH_BYTES];
    uint64_t bytes, before = used(), started = monotonic_ms();

    try_check(storage.create(storage.state, FIRST_ID, &err) == 0, &err, "create");
    try_time("create", started);
    /* Whose it is, who asks must know. */
    try_refused(storage.create(storage.state, FIRST_ID, &err), &err, ERR_VOLUME_EXISTS,
                "create_thin");
    try_listed(FIRST_ID);
    started = monotonic_ms();
    try_check(activate("try-a", FIRST_ID, VOLUME_BYTES, false, path) == 0, &err, "activate");
    try_time("activate", started);
    try_check(strcmp(path, "/dev/mapper/try-a") == 0 && access(path, R_OK | W_OK) == 0, NULL,
              "the node %s is there", path);
    try_check(activate("try-a", FIRST_ID, VOLUME_BYTES, false, again) == 0, &err, "activate again");
    try_check(size_of(path) == VOLUME_BYTES && holds(path, 0), NULL, "fresh and of its size");
    try_check(storage.mapped(storage.state, "try-a", &bytes, &err) == 0 && bytes == 0, &err,
              "nothing is mapped");
    try_check(fill(path, 'a'), NULL, "write");
    try_check(storage.mapped(storage.state, "try-a", &bytes, &err) == 0 && bytes == MIB, &err,
              "1 MiB is mapped, not %" PRIu64, bytes);
    try_check(used() == before + MIB, NULL, "the pool counts it");
    started = monotonic_ms();
    try_check(activate("try-a", FIRST_ID, VOLUME_BYTES, true, path) == 0 && !fill(path, 'c') &&
                  holds(path, 'a'),
              &err, "an active volume turns read-only");
    try_time("turn", started);
    try_check(activate("try-a", FIRST_ID, VOLUME_BYTES, false, path) == 0 && fill(path, 'a'), &err,
              "and writable again");
    try_check(unlink(path) == 0 && activate("try-a", FIRST_ID, VOLUME_BYTES, false, path) == 0 &&
                  access(path, R_OK) == 0,
              &err, "a lost node is made again");
    try_check(activate("try-a", FIRST_ID, 2 * VOLUME_BYTES, false, path) == 0 &&
                  size_of(path) == 2 * VOLUME_BYTES && holds(path, 'a'),
              &err, "grow");
    try_check(activate("try-a", FIRST_ID, VOLUME_BYTES, false, path) == 0 &&
                  size_of(path) == 2 * VOLUME_BYTES,
              &err, "a smaller size changes nothing");
}

static void try_snapshots(void)
{
    char path[VOLUME_PATH_BYTES], copy[VOLUME_PATH_BYTES];
    const char *a = "/dev/mapper/try-a";
    uint64_t started = monotonic_ms(), mapped, measured = 0;

    try_check(storage.snapshot(storage.state, FIRST_ID, "try-a", FIRST_ID + 1, &mapped, &err) == 0,
              &err, "snapshot of an active volume");
    try_time("a snapshot of an active volume", started);
    try_refused(storage.snapshot(storage.state, FIRST_ID, "try-a", FIRST_ID + 1, NULL, &err), &err,
                ERR_VOLUME_EXISTS, "create_snap");
    try_check(fill(a, 'b'), NULL, "the origin lives on");
    try_check(activate("try-b", FIRST_ID + 1, VOLUME_BYTES, true, copy) == 0 && holds(copy, 'a'),
              &err, "the snapshot holds what was");
    try_check(storage.mapped(storage.state, "try-b", &measured, &err) == 0 && measured > 0 &&
                  mapped == measured,
              &err, "what a new snapshot maps is said");
    try_check(!fill(copy, 'c'), NULL, "a read-only volume cannot be written");
    try_refused(storage.snapshot(storage.state, FIRST_ID + 77, "try-a", FIRST_ID + 2, NULL, &err),
                &err, ERR_STORAGE_ERROR, "create_snap");
    try_check(fill(a, 'd') && holds(a, 'd'), NULL, "a failed snapshot leaves the origin running");
    try_check(storage.snapshot(storage.state, FIRST_ID + 1, NULL, FIRST_ID + 2, NULL, &err) == 0,
              &err, "snapshot of a snapshot");
    /* Another volume under the same name: what reverting does. */
    CLEANUP_CLOSE int holder = open(a, O_RDONLY | O_CLOEXEC);
    try_refused(activate("try-a", FIRST_ID + 2, VOLUME_BYTES, false, path), &err, ERR_STORAGE_ERROR,
                "in use as another volume");
    close(holder);
    holder = -1;
    try_check(activate("try-a", FIRST_ID + 2, VOLUME_BYTES, false, path) == 0 && holds(a, 'a'),
              &err, "another volume takes the name");
}

static void try_busy(void)
{
    const char *a = "/dev/mapper/try-a";
    uint64_t started;
    pid_t child = fork();

    if (child == 0) {
        int fd = open(a, O_RDONLY);
        usleep(700 * 1000);
        _exit(fd < 0);
    }
    usleep(200 * 1000);
    started = monotonic_ms();
    try_check(storage.deactivate(storage.state, "try-a", &err) == 0, &err,
              "deactivate waits for the last user");
    try_time("deactivate of a busy volume", started);
    waitpid(child, NULL, 0);
    try_check(access(a, F_OK) < 0, NULL, "the node is gone");
    try_check(storage.deactivate(storage.state, "try-a", &err) == 0, &err, "deactivate again");
    try_refused(storage.remove(storage.state, FIRST_ID + 1, &err), &err, ERR_STORAGE_ERROR,
                "delete 1000001");
}

static void try_removal(uint64_t before)
{
    char path[VOLUME_PATH_BYTES];
    uint64_t bytes;

    try_check(storage.deactivate(storage.state, "try-b", &err) == 0, &err, "deactivate the copy");
    for (uint32_t id = FIRST_ID; id < FIRST_ID + 3; id++)
        for (int round = 0; round < 2; round++)
            try_check(storage.remove(storage.state, id, &err) == 0, &err, "remove %" PRIu32, id);
    try_check(used() == before, NULL, "every block is given back");
    try_refused(activate("try-a", FIRST_ID, VOLUME_BYTES, false, path), &err, ERR_STORAGE_ERROR,
                "activate try-a");
    try_check(access("/dev/mapper/try-a", F_OK) < 0, NULL, "a failed activation leaves no node");
    try_refused(storage.mapped(storage.state, "try-a", &bytes, &err), &err, ERR_STORAGE_ERROR,
                "not an active volume");
    try_refused(storage.create(storage.state, 0, &err), &err, ERR_STORAGE_ERROR,
                "not a volume number");
    try_refused(storage.create(storage.state, 1u << 24, &err), &err, ERR_STORAGE_ERROR,
                "not a volume number");
    try_refused(activate("try-a", FIRST_ID, 0, false, path), &err, ERR_STORAGE_ERROR, "no size");
}

/* The highest number there is, once for one and then for somebody else, who finds nothing. */
static void try_number_again(void)
{
    const uint32_t highest = (1u << 24) - 1;
    char path[VOLUME_PATH_BYTES];

    for (int round = 0; round < 2; round++) {
        try_check(storage.create(storage.state, highest, &err) == 0, &err, "create the highest");
        try_check(activate("try-a", highest, VOLUME_BYTES, false, path) == 0 && holds(path, 0),
                  &err, "nothing is on it");
        try_check(fill(path, 'x') && holds(path, 'x'), NULL, "fill the highest");
        try_listed(highest);
        try_check(storage.deactivate(storage.state, "try-a", &err) == 0 &&
                      storage.remove(storage.state, highest, &err) == 0,
                  &err, "remove the highest");
    }
}

static void try_speed(void)
{
    char path[VOLUME_PATH_BYTES];
    uint64_t started = monotonic_ms();

    storage.create(storage.state, FIRST_ID, &err);
    activate("try-a", FIRST_ID, VOLUME_BYTES, false, path);
    for (uint32_t i = 1; i <= MANY; i++)
        try_check(storage.snapshot(storage.state, FIRST_ID, "try-a", FIRST_ID + i, NULL, &err) == 0,
                  &err, "snapshot %" PRIu32, i);
    try_time("50 snapshots of an active volume", started);
    started = monotonic_ms();
    storage.deactivate(storage.state, "try-a", &err);
    for (uint32_t i = 0; i <= MANY; i++)
        try_check(storage.remove(storage.state, FIRST_ID + i, &err) == 0, &err, "remove");
    try_time("51 removals", started);
}

static int command_create(const char *name, uint32_t id, uint64_t bytes)
{
    char path[VOLUME_PATH_BYTES];

    try_check(storage.create(storage.state, id, &err) == 0, &err, "create %" PRIu32, id);
    try_check(activate(name, id, bytes, false, path) == 0, &err, "activate %s", name);
    return try_end("thin-try");
}

static int command_fill(const char *name, uint64_t from, uint64_t to)
{
    /* Whole blocks, which the pool need not zero before. */
    static const _Alignas(4096) char text[MIB] = "filled";
    char path[VOLUME_PATH_BYTES];
    uint64_t at = from;

    snprintf(path, sizeof(path), "/dev/mapper/%.100s", name);
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC | O_DIRECT);
    while (fd >= 0 && at < to && pwrite(fd, text, sizeof(text), (off_t)at) == (ssize_t)sizeof(text))
        at += sizeof(text);
    try_check(at == to, NULL, "fill %s, at MiB %" PRIu64 ": %s", path, at / MIB, strerror(errno));
    return try_end("thin-try");
}

static int command_fray(const char *name, uint32_t id, uint32_t copy, uint64_t step)
{
    char path[VOLUME_PATH_BYTES];
    uint64_t bytes = 0;
    bool good;

    try_check(storage.snapshot(storage.state, id, name, copy, NULL, &err) == 0, &err, "snapshot %s",
              name);
    snprintf(path, sizeof(path), "/dev/mapper/%.100s", name);
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    good = fd >= 0 && ioctl(fd, BLKGETSIZE64, &bytes) == 0;
    /* Each hole costs a copy of a leaf of the map; it is one that was not there before. */
    for (uint64_t at = copy % step * MIB; good && at < bytes; at += step * MIB) {
        uint64_t hole[2] = {at, 64 << 10};
        good = ioctl(fd, BLKDISCARD, hole) == 0;
    }
    try_check(good, NULL, "holes in %s: %s", path, strerror(errno));
    return try_end("thin-try");
}

static int command_remove(const char *name, uint32_t id)
{
    try_check(storage.deactivate(storage.state, name, &err) == 0, &err, "deactivate %s", name);
    try_check(storage.remove(storage.state, id, &err) == 0, &err, "remove %" PRIu32, id);
    return try_end("thin-try");
}

static int all(const char *pool)
{
    struct storage absent;
    struct pool_usage usage;

    try_parse();
    try_mirror();
    try_refused(be_thin_open(&absent, "no-such-pool", &err), &err, ERR_STORAGE_MISSING,
                "no thin pool no-such-pool");
    if (!try_check(storage.usage(storage.state, &usage, &err) == 0 && usage.data_total_bytes > 0 &&
                       usage.metadata_total_bytes > 0 && usage.block_bytes == 65536 &&
                       !usage.failed && !usage.read_only,
                   &err, "usage of %s is plausible", pool))
        return try_end("thin-try");
    printf("pool: data %" PRIu64 "/%" PRIu64 " MiB, metadata %" PRIu64 "/%" PRIu64 " KiB\n",
           usage.data_used_bytes / MIB, usage.data_total_bytes / MIB,
           usage.metadata_used_bytes / 1024, usage.metadata_total_bytes / 1024);
    try_life();
    try_snapshots();
    try_busy();
    try_removal(usage.data_used_bytes);
    try_number_again();
    try_speed();
    return try_end("thin-try");
}

int main(int argc, char **argv)
{
    int status = 2;

    if (argc < 2 || !try_check(be_thin_open(&storage, argv[1], &err) == 0, &err, "be_thin_open"))
        return try_end("thin-try");
    if (argc == 2)
        status = all(argv[1]);
    else if (argc == 6 && strcmp(argv[2], "create") == 0)
        status =
            command_create(argv[3], (uint32_t)atoi(argv[4]), strtoull(argv[5], NULL, 10) * MIB);
    else if (argc == 5 && strcmp(argv[2], "remove") == 0)
        status = command_remove(argv[3], (uint32_t)atoi(argv[4]));
    else if (argc == 6 && strcmp(argv[2], "fill") == 0)
        status = command_fill(argv[3], strtoull(argv[4], NULL, 10) * MIB,
                              strtoull(argv[5], NULL, 10) * MIB);
    else if (argc == 7 && strcmp(argv[2], "fray") == 0)
        status = command_fray(argv[3], (uint32_t)atoi(argv[4]), (uint32_t)atoi(argv[5]),
                              strtoull(argv[6], NULL, 10));
    storage.close(storage.state);
    return status;
}
