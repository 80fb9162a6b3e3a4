/* Snapshots with memory: the request, the plans, the store's row, and the stream of the memory. */
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "codec/compress.h"
#include "codec/decompress.h"
#include "codec/memory_stream.h"
#include "codec/thin_metadata.h"
#include "model/arguments.h"
#include "model/nic.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "plan/slice.h"
#include "plan/snapshot.h"
#include "plan/steps.h"
#include "store/outbox.h"
#include "store/store.h"
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID "00000000-0000-4000-8000-000000000001"
#define SHORT_BYTES 5
#define LONG_BYTES (3 * MIB + 12345)

/* --- The request and its plans ------------------------------------------------------------------ */

TEST(checkpoint_arguments)
{
    CLEANUP_JSON json_t *with =
        json_pack("{s:s, s:s, s:b}", "snapshot", ID, "name", "x", "memory", 1);
    CLEANUP_JSON json_t *wrong =
        json_pack("{s:s, s:s, s:i}", "snapshot", ID, "name", "x", "memory", 1);
    struct snapshot_args args;
    struct err err;

    CHECK_NUMBER(0, snapshot_parse(OP_SNAPSHOT_CREATE, with, &args, &err));
    CHECK(args.memory);
    CHECK_NUMBER(-1, snapshot_parse(OP_SNAPSHOT_CREATE, wrong, &args, &err));
    CHECK_NUMBER(ERR_INVALID_ARGUMENT, err.code);
    /* Which way back there is, the snapshot says. */
    json_object_del(with, "name");
    CHECK_NUMBER(-1, snapshot_parse(OP_SNAPSHOT_REVERT, with, &args, &err));
    CHECK_NUMBER(ERR_UNKNOWN_FIELD, err.code);
    json_object_del(with, "memory");
    CHECK_NUMBER(0, snapshot_parse(OP_SNAPSHOT_REVERT, with, &args, &err));
    CHECK(!args.memory);
}

static void check_plan(plan_maker *maker, const struct plan_facts *facts, const char *wanted)
{
    char text[512] = "";
    struct plan plan;

    plan_make(maker, facts, &plan);
    for (size_t i = 0; i <= plan.count; i++) {
        if (i == plan.forward_from)
            strcat(text, "| ");
        if (i < plan.count)
            snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ",
                     step_name(plan.steps[i].kind));
    }
    CHECK_TEXT(wanted, text);
    plan_free(&plan);
}

TEST(checkpoint_plans)
{
    const struct slice slice = {.id = ID, .disk_gib = 2, .disk_thin_id = 4, .seed_thin_id = 5};
    const struct snapshot snapshot = {
        .id = ID,
        .slice = ID,
        .thin_id = 8,
        .memory = {.thin_id = 9,
                   .size = {.vcpus = 1, .max_vcpus = 2, .memory_mib = 256, .max_memory_mib = 512}}};
    struct plan_facts facts = {.slice = &slice,
                               .snapshots = &snapshot,
                               .snapshot_count = 1,
                               .new_disk_id = 10,
                               .domain = true};
    struct plan plan;

    check_plan(plan_snapshot, &facts,
               "snapshot.measure memory.save checkpoint.take domain.resume | ");
    check_plan(plan_snapshot_delete, &facts, "| volume.remove volume.deactivate volume.remove ");
    check_plan(plan_revert, &facts,
               "memory.check disk.clone | domain.destroy volume.deactivate disk.swap volume.remove "
               "disk.activate seed.write domain.restore domain.run ");
    check_plan(plan_terminate, &facts,
               "| domain.destroy volume.deactivate volume.deactivate volume.remove volume.remove "
               "volume.remove volume.deactivate volume.remove console.remove ");
    facts.domain = false;
    check_plan(plan_revert, &facts,
               "memory.check disk.clone | volume.deactivate disk.swap volume.remove disk.activate "
               "seed.write domain.restore domain.run ");

    plan_make(plan_snapshot, &facts, &plan);
    CHECK(plan.steps[1].volume.thin_id == 9 && plan.steps[2].snapshot.thin_id == 8 &&
          plan.steps[2].snapshot.origin.thin_id == 4);
    CHECK_TEXT("memory-" ID, plan.steps[1].volume.name);
    CHECK_NUMBER((256 + 2 + 32 + 2) * MIB, plan.steps[1].volume.bytes);
    plan_free(&plan);
}

TEST(checkpoint_in_the_store)
{
    const struct slice slice = {.id = ID, .name = "web", .domain_id = -1};
    const struct snapshot snapshot = {
        .id = ID,
        .slice = ID,
        .name = "x",
        .thin_id = 8,
        .memory = {
            .thin_id = 9,
            .mark = {.bytes = 123456789012, .crc = 0xfedcba9876543210},
            .size = {.vcpus = 4, .max_vcpus = 8, .memory_mib = 1024, .max_memory_mib = 4096}}};
    struct snapshot found;
    struct store *store = NULL;
    struct err err;

    if (!CHECK_NUMBER(0, store_open(":memory:", &store, &err)))
        return;
    CHECK_NUMBER(0, store_slice_put(store, &slice, &err));
    CHECK_NUMBER(0, store_snapshot_put(store, &snapshot, &err));
    CHECK_NUMBER(1, store_snapshot_find(store, ID, &found, &err));
    CHECK(memcmp(&found.memory, &snapshot.memory, sizeof(found.memory)) == 0);
    store_close(store);
}

TEST(store_takes_over_snapshots_without_memory)
{
    CLEANUP_FREE char *path = xasprintf("%s/sliced.db", unit_folder());
    CLEANUP_FREE char *command =
        xasprintf("python3 -c \"import sqlite3; c = sqlite3.connect('%s');"
                  " c.executescript(open('%s/tests/unit/store_format_1.sql').read());"
                  " c.execute('insert into slices values (1, \\'" ID "\\', \\'{}\\')');"
                  " c.execute('insert into snapshots values (1, \\'" ID "\\', \\'" ID
                  "\\', \\'x\\', 1, 8, 2, 3)'); c.commit()\"",
                  path, ROOT);
    struct snapshot found;
    struct store *store = NULL;
    struct err err;

    CHECK_NUMBER(0, system(command));
    if (!CHECK_NUMBER(0, store_open(path, &store, &err)))
        return;
    CHECK_NUMBER(1, store_snapshot_find(store, ID, &found, &err));
    CHECK(found.thin_id == 8 && found.size_bytes == 3 && found.memory.thin_id == 0);
    store_close(store);
}

/* --- The stream --------------------------------------------------------------------------------- */

/* A file of that size, as a new volume is: zeros. */
static char *new_volume(uint64_t bytes)
{
    char *path = xasprintf("%s/volume", unit_folder());
    CLEANUP_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

    CHECK(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
    return path;
}

/* Bytes with long runs of zeros between them. */
static unsigned char *content(size_t length)
{
    unsigned char *data = xcalloc(1, length);

    for (size_t i = 0; i < length; i++)
        if ((i >> 17) % 3 == 1 || i == 0 || i == length - 1)
            data[i] = (unsigned char)(i * 7 + i / 251 + 1);
    return data;
}

static int save(const char *path, const void *data, size_t length, struct memory_mark *mark,
                struct err *err)
{
    int fd;

    signal(SIGPIPE, SIG_IGN); /* as in every process of the agent */
    struct memory_stream *stream = memory_stream_write(path, &fd, err);

    if (!stream)
        return -1;
    (void)write_full(fd, data, length); /* fails when the other side has given up */
    return memory_stream_end(stream, mark, err);
}

static void check_round_trip(size_t length)
{
    CLEANUP_FREE char *path = new_volume(4 * MIB);
    CLEANUP_FREE unsigned char *data = content(length);
    CLEANUP_FREE unsigned char *back = xcalloc(1, length + 1);
    struct memory_mark mark;
    struct stat status;
    struct err err;
    int fd;

    if (!CHECK_NUMBER(0, save(path, data, length, &mark, &err)))
        return;
    CHECK_NUMBER(length, mark.bytes);
    CHECK_NUMBER(0, memory_stream_check(path, &mark, &err));
    struct memory_stream *stream = memory_stream_read(path, &mark, &fd, &err);
    if (!CHECK(stream != NULL))
        return;
    CHECK_NUMBER(length, read_full(fd, back, length + 1));
    CHECK_NUMBER(0, memory_stream_end(stream, NULL, &err));
    CHECK(memcmp(data, back, length) == 0);
    /* Zeros take no space. */
    CHECK(stat(path, &status) == 0 &&
          status.st_blocks * 512 <= (off_t)(length * 2 / 3 + 4 * 65536));
}

TEST(memory_stream_round_trip)
{
    check_round_trip(SHORT_BYTES);
    check_round_trip(4096);
    check_round_trip(MIB);
    check_round_trip(LONG_BYTES);
}

TEST(memory_stream_too_long)
{
    CLEANUP_FREE char *path = new_volume(2 * MIB);
    CLEANUP_FREE unsigned char *data = content(LONG_BYTES);
    struct memory_mark mark;
    struct err err;

    CHECK_NUMBER(-1, save(path, data, LONG_BYTES, &mark, &err));
    CHECK_NUMBER(ERR_STORAGE_ERROR, err.code);
    CHECK_HOLDS("does not fit", err.message);
    CHECK_NUMBER(-1, save("/absent/volume", data, 1, &mark, &err));
    CHECK_NUMBER(ERR_STORAGE_ERROR, err.code);
}

TEST(memory_stream_damaged)
{
    CLEANUP_FREE char *path = new_volume(4 * MIB);
    CLEANUP_FREE unsigned char *data = content(LONG_BYTES);
    struct memory_mark mark;
    struct err err;
    int fd;

    if (!CHECK_NUMBER(0, save(path, data, LONG_BYTES, &mark, &err)))
        return;
    CLEANUP_CLOSE int volume = open(path, O_RDWR);
    CHECK_NUMBER(1, pwrite(volume, "x", 1, (off_t)(2 * MIB + 3)));
    CHECK_NUMBER(-1, memory_stream_check(path, &mark, &err));
    CHECK_HOLDS("damaged", err.message);
    /* A volume that was cut short. */
    CHECK_NUMBER(0, ftruncate(volume, (off_t)MIB));
    CHECK_NUMBER(-1, memory_stream_check(path, &mark, &err));
    CHECK_NUMBER(ERR_STORAGE_ERROR, err.code);
    /* A reader that ends before the stream does. */
    CHECK_NUMBER(0, ftruncate(volume, (off_t)(4 * MIB)));
    struct memory_stream *stream = memory_stream_read(path, &mark, &fd, &err);
    if (!CHECK(stream != NULL))
        return;
    CHECK_NUMBER(-1, memory_stream_end(stream, NULL, &err));
}
