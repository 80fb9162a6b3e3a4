/* store: what the node must not forget. */
#include "base/err.h"
#include "base/file.h"
#include "base/ident.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/request.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "store/outbox.h"
#include "store/store.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ONE "00000000-0000-4000-8000-000000000001"
#define TWO "00000000-0000-4000-8000-000000000002"
#define THREE "00000000-0000-4000-8000-000000000003"

static struct store *open_store(const char *path)
{
    struct store *store = NULL;
    struct err err;

    if (!CHECK_NUMBER(0, store_open(path, &store, &err))) {
        puts(err.message);
        exit(1);
    }
    return store;
}

static char *store_path(void)
{
    return xasprintf("%s/sliced.db", unit_folder());
}

static struct slice make_slice(const char *id)
{
    struct slice slice = {.vcpus = 1, .memory_mib = 64, .disk_gib = 1, .domain_id = -1};

    copy_text(slice.id, sizeof(slice.id), id);
    copy_text(slice.name, sizeof(slice.name), "name");
    return slice;
}

TEST(store_settings)
{
    struct store *store = open_store(":memory:");
    char *value;
    struct err err;

    CHECK_NUMBER(0, store_get(store, "node_id", &value, &err));
    CHECK_TEXT(NULL, value);
    CHECK_NUMBER(0, store_set(store, "node_id", "one", &err));
    CHECK_NUMBER(0, store_set(store, "node_id", "two", &err));
    CHECK_NUMBER(0, store_get(store, "node_id", &value, &err));
    CHECK_TEXT("two", value);
    free(value);
    CHECK_NUMBER(0, store_set(store, "node_id", NULL, &err));
    CHECK_NUMBER(0, store_get(store, "node_id", &value, &err));
    CHECK_TEXT(NULL, value);
    store_close(store);
}

TEST(store_thin_ids_have_a_place_and_a_floor)
{
    CLEANUP_FREE char *path = store_path();
    struct store *store = open_store(path);
    struct err err;
    uint32_t last;
    bool again;

    CHECK_NUMBER(0, store_thin_id_last(store, &last, &again, &err));
    CHECK(last == 0 && !again);
    CHECK_NUMBER(0, store_thin_id_floor(store, 3, &err));
    CHECK_NUMBER(0, store_thin_id_give(store, 4, false, &err));
    CHECK_NUMBER(0, store_thin_id_floor(store, 2, &err));
    CHECK_NUMBER(0, store_thin_id_last(store, &last, &again, &err));
    CHECK(last == 4 && !again);
    /* What an agent of before may have left. */
    CHECK_NUMBER(0, store_set(store, "thin_id", "16777216", &err));
    CHECK_NUMBER(0, store_thin_id_last(store, &last, &again, &err));
    CHECK(last == THIN_ID_MAX && !again);
    /* From then on the pool's highest number says nothing of those that are next. */
    CHECK_NUMBER(0, store_thin_id_give(store, 5, true, &err));
    CHECK_NUMBER(0, store_thin_id_floor(store, THIN_ID_MAX, &err));
    CHECK_NUMBER(0, store_thin_id_last(store, &last, &again, &err));
    CHECK(last == 5 && again);
    store_close(store);
}

TEST(store_slices)
{
    struct store *store = open_store(":memory:");
    struct slice one = make_slice(ONE), two = make_slice(TWO), found;
    const struct slice *const *slices;
    size_t count;
    struct err err;

    CHECK_NUMBER(0, store_slice_put(store, &two, &err));
    CHECK_NUMBER(0, store_slice_put(store, &one, &err));
    two.state = SLICE_STOPPED;
    two.user_data = xstrdup("data");
    CHECK_NUMBER(0, store_slice_put(store, &two, &err));
    free(two.user_data);
    CHECK_NUMBER(0, store_slices(store, &slices, &count, &err));
    CHECK_NUMBER(2, count);
    CHECK_TEXT(TWO, slices[0]->id);
    CHECK_TEXT("data", slices[0]->user_data);
    CHECK_NUMBER(SLICE_STOPPED, slices[0]->state);
    CHECK_NUMBER(1, store_slice_find(store, ONE, &found, &err));
    CHECK_TEXT(ONE, found.id);
    slice_free(&found);
    CHECK_NUMBER(0, store_slice_find(store, THREE, &found, &err));
    CHECK_NUMBER(0, store_slice_delete(store, ONE, &err));
    CHECK_NUMBER(0, store_slice_delete(store, ONE, &err));
    CHECK_NUMBER(0, store_slice_find(store, ONE, &found, &err));
    store_close(store);
}

TEST(store_images)
{
    struct store *store = open_store(":memory:");
    struct image image = {.id = ONE,
                          .kind = IMAGE_KERNEL,
                          .compression = COMPRESSION_XZ,
                          .url = "https://h/x",
                          .sha256 = "ab",
                          .transfer_bytes = 1,
                          .size_bytes = UINT64_C(1) << 45,
                          .mapped_bytes = 3,
                          .thin_id = 4,
                          .used_ms = INT64_C(1) << 41};
    struct image found, *images;
    size_t count;
    struct err err;

    CHECK_NUMBER(0, store_image_put(store, &image, &err));
    image.ready = true;
    CHECK_NUMBER(0, store_image_put(store, &image, &err));
    CHECK_NUMBER(1, store_image_find(store, ONE, &found, &err));
    CHECK(found.kind == IMAGE_KERNEL && found.compression == COMPRESSION_XZ && found.ready);
    CHECK(found.transfer_bytes == 1 && found.size_bytes == UINT64_C(1) << 45);
    CHECK(found.mapped_bytes == 3 && found.thin_id == 4);
    CHECK_NUMBER(INT64_C(1) << 41, found.used_ms);
    CHECK_TEXT("https://h/x", found.url);
    CHECK_TEXT("ab", found.sha256);
    CHECK_NUMBER(0, store_images(store, &images, &count, &err));
    CHECK_NUMBER(1, count);
    free(images);
    CHECK_NUMBER(0, store_image_delete(store, ONE, &err));
    CHECK_NUMBER(0, store_images(store, &images, &count, &err));
    CHECK_NUMBER(0, count);
    free(images);
    store_close(store);
}

TEST(store_snapshots)
{
    struct store *store = open_store(":memory:");
    struct slice one = make_slice(ONE), two = make_slice(TWO);
    struct snapshot late = {
        .id = ONE, .slice = ONE, .name = "late", .created_ms = 20, .thin_id = 1};
    struct snapshot early = {.id = TWO,
                             .slice = ONE,
                             .name = "early",
                             .created_ms = 10,
                             .reserved_bytes = 5,
                             .size_bytes = 6};
    struct snapshot other = {
        .id = THREE, .slice = TWO, .name = "other", .created_ms = 15, .reserved_bytes = 7};
    struct snapshot found, *snapshots;
    uint64_t reserved_bytes;
    size_t count;
    struct err err;

    CHECK_NUMBER(0, store_snapshots_reserved(store, &reserved_bytes, &err));
    CHECK_NUMBER(0, (long long)reserved_bytes);
    CHECK_NUMBER(-1, store_snapshot_put(store, &late, &err)); /* of a slice that is not there */
    CHECK_NUMBER(ERR_STORAGE_ERROR, err.code);
    CHECK_NUMBER(0, store_slice_put(store, &one, &err));
    CHECK_NUMBER(0, store_slice_put(store, &two, &err));
    CHECK_NUMBER(0, store_snapshot_put(store, &late, &err));
    CHECK_NUMBER(0, store_snapshot_put(store, &early, &err));
    CHECK_NUMBER(0, store_snapshot_put(store, &other, &err));
    CHECK_NUMBER(0, store_snapshots(store, ONE, &snapshots, &count, &err));
    CHECK_NUMBER(2, count);
    CHECK_TEXT("early", snapshots[0].name);
    CHECK(snapshots[0].reserved_bytes == 5 && snapshots[0].size_bytes == 6);
    free(snapshots);
    CHECK_NUMBER(0, store_snapshots(store, NULL, &snapshots, &count, &err));
    CHECK_NUMBER(3, count);
    CHECK_TEXT("other", snapshots[1].name);
    free(snapshots);
    CHECK_NUMBER(0, store_snapshots_reserved(store, &reserved_bytes, &err));
    CHECK_NUMBER(12, (long long)reserved_bytes);
    CHECK_NUMBER(1, store_snapshot_find(store, ONE, &found, &err));
    CHECK_NUMBER(1, found.thin_id);
    CHECK_NUMBER(0, store_snapshot_delete(store, ONE, &err));
    CHECK_NUMBER(0, store_snapshot_find(store, ONE, &found, &err));
    /* Changing a slice keeps its snapshots, deleting it takes them along. */
    CHECK_NUMBER(0, store_slice_put(store, &one, &err));
    CHECK_NUMBER(1, store_snapshot_find(store, TWO, &found, &err));
    CHECK_NUMBER(0, store_slice_delete(store, ONE, &err));
    CHECK_NUMBER(0, store_snapshot_find(store, TWO, &found, &err));
    store_close(store);
}

static struct request make_request(const char *id)
{
    struct request request = {.operation = OP_SLICE_STOP, .slice = ONE, .deadline_ms = 5};

    copy_text(request.id, sizeof(request.id), id);
    request.args = json_pack("{s:b}", "force", 1);
    return request;
}

TEST(store_requests)
{
    struct store *store = open_store(":memory:");
    struct request request = make_request(ONE);
    struct request_record record, *records;
    size_t count;
    struct err err;

    CHECK_NUMBER(1, store_request_add(store, &request, true, &err));
    CHECK_NUMBER(0, store_request_add(store, &request, false, &err));
    request_free(&request);
    CHECK_NUMBER(1, store_request_find(store, ONE, &record, &err));
    CHECK(record.phase == REQUEST_QUEUED && record.step == 0 && record.internal);
    CHECK(record.request.operation == OP_SLICE_STOP && record.request.deadline_ms == 5);
    CHECK(json_is_true(json_object_get(record.request.args, "force")));
    CHECK(!record.scratch && !record.result && record.error.code == ERR_NONE);
    record.phase = REQUEST_UNDOING;
    record.step = 3;
    record.scratch = json_pack("{s:i}", "thin_id", 9);
    err_set(&record.error, ERR_POOL_FULL, "no room");
    CHECK_NUMBER(0, store_request_update(store, &record, &err));
    request_record_free(&record);
    CHECK_NUMBER(0, store_requests_open(store, &records, &count, &err));
    CHECK_NUMBER(1, count);
    CHECK(records[0].phase == REQUEST_UNDOING && records[0].step == 3);
    CHECK(records[0].error.code == ERR_POOL_FULL);
    CHECK_TEXT("no room", records[0].error.message);
    CHECK_NUMBER(9, json_integer_value(json_object_get(records[0].scratch, "thin_id")));
    records[0].phase = REQUEST_FAILED;
    CHECK_NUMBER(0, store_request_update(store, &records[0], &err));
    copy_text(records[0].request.id, UUID_TEXT_BYTES, TWO);
    CHECK_NUMBER(-1, store_request_update(store, &records[0], &err));
    CHECK_HOLDS("is not in the store", err.message);
    request_records_free(records, count);
    CHECK_NUMBER(0, store_requests_open(store, &records, &count, &err));
    CHECK_NUMBER(0, count);
    request_records_free(records, count);
    CHECK_NUMBER(0, store_request_find(store, TWO, &record, &err));
    store_close(store);
}

static void add_events(struct store *store, int count, int64_t first)
{
    CLEANUP_JSON json_t *event = json_pack("{s:s}", "type", "node.problem");
    struct err err;

    for (int i = 0; i < count; i++) {
        int64_t seq;
        CHECK_NUMBER(0, store_event_add(store, event, &seq, &err));
        CHECK_NUMBER(first + i, seq);
    }
}

TEST(store_events_keep_their_order)
{
    CLEANUP_FREE char *path = store_path();
    struct store *store = open_store(path);
    json_t *events;
    size_t count;
    struct err err;

    add_events(store, 5, 1);
    CHECK_NUMBER(0, store_events(store, 2, 2, 1000, &events, &err));
    CHECK_NUMBER(2, json_array_size(events));
    CHECK_NUMBER(3, json_integer_value(json_object_get(json_array_get(events, 0), "seq")));
    CHECK_TEXT("node.problem",
               json_string_value(json_object_get(json_array_get(events, 1), "type")));
    json_decref(events);
    CHECK_NUMBER(
        0, store_events(store, 0, 100, 2 * strlen("{\"type\":\"node.problem\"}"), &events, &err));
    CHECK_NUMBER(2, json_array_size(events));
    json_decref(events);
    CHECK_NUMBER(0, store_events(store, 0, 100, 0, &events, &err));
    CHECK_NUMBER(1, json_array_size(events));
    json_decref(events);
    CHECK_NUMBER(0, store_events_acknowledge(store, 3, &err));
    CHECK_NUMBER(0, store_events_count(store, &count, &err));
    CHECK_NUMBER(2, count);
    /* Numbers are not given again, not even when all are acknowledged and the agent restarts. */
    CHECK_NUMBER(0, store_events_acknowledge(store, 5, &err));
    store_close(store);
    store = open_store(path);
    add_events(store, 1, 6);
    CHECK_NUMBER(0, store_events_acknowledge(store, 2, &err));
    CHECK_NUMBER(0, store_events_count(store, &count, &err));
    CHECK_NUMBER(1, count);
    store_close(store);
}

TEST(store_younger_than_the_node_goes_on_above)
{
    struct store *store = open_store(":memory:");
    json_t *events;
    struct err err;

    CHECK_NUMBER(0, store_events_acknowledge(store, 0, &err));
    add_events(store, 2, 1);
    CHECK_NUMBER(0, store_events_acknowledge(store, 500, &err));
    CHECK_NUMBER(0, store_events(store, 500, 10, 1000, &events, &err));
    CHECK_NUMBER(2, json_array_size(events));
    CHECK_NUMBER(501, json_integer_value(json_object_get(json_array_get(events, 0), "seq")));
    json_decref(events);
    add_events(store, 1, 503);
    CHECK_NUMBER(-1, store_events_acknowledge(store, INT64_MAX, &err));
    CHECK_HOLDS("absurd", err.message);
    add_events(store, 1, 504);
    store_close(store);
}

TEST(store_transactions_nest)
{
    struct store *store = open_store(":memory:");
    char *value;
    struct err err;

    CHECK_NUMBER(0, store_begin(store, &err));
    CHECK_NUMBER(0, store_begin(store, &err));
    CHECK_NUMBER(0, store_set(store, "a", "1", &err));
    CHECK_NUMBER(0, store_commit(store, &err));
    store_rollback(store);
    CHECK_NUMBER(0, store_get(store, "a", &value, &err));
    CHECK_TEXT(NULL, value);
    /* An inner rollback takes back what is its own, also what was within it and ended well. */
    CHECK_NUMBER(0, store_begin(store, &err));
    CHECK_NUMBER(0, store_set(store, "a", "1", &err));
    CHECK_NUMBER(0, store_begin(store, &err));
    CHECK_NUMBER(0, store_set(store, "a", "2", &err));
    CHECK_NUMBER(0, store_begin(store, &err));
    CHECK_NUMBER(0, store_set(store, "b", "2", &err));
    CHECK_NUMBER(0, store_commit(store, &err));
    store_rollback(store);
    CHECK(store_in_transaction(store));
    CHECK_NUMBER(0, store_begin(store, &err));
    CHECK_NUMBER(0, store_set(store, "c", "3", &err));
    CHECK_NUMBER(0, store_commit(store, &err));
    CHECK_NUMBER(0, store_commit(store, &err));
    CHECK(!store_in_transaction(store));
    CHECK_NUMBER(0, store_get(store, "a", &value, &err));
    CHECK_TEXT("1", value);
    free(value);
    CHECK_NUMBER(0, store_get(store, "b", &value, &err));
    CHECK_TEXT(NULL, value);
    CHECK_NUMBER(0, store_get(store, "c", &value, &err));
    CHECK_TEXT("3", value);
    free(value);
    CHECK_NUMBER(-1, store_commit(store, &err));
    CHECK_NUMBER(0, store_begin(store, &err));
    CHECK_NUMBER(0, store_set(store, "a", "4", &err));
    CHECK_NUMBER(0, store_commit(store, &err));
    CHECK_NUMBER(0, store_get(store, "a", &value, &err));
    CHECK_TEXT("4", value);
    free(value);
    store_close(store);
}

/* A process that is killed within a transaction leaves what was committed before. */
TEST(store_survives_a_kill)
{
    CLEANUP_FREE char *path = store_path();
    char *value;
    struct err err;
    pid_t pid = fork();

    if (pid == 0) {
        struct store *store = open_store(path);
        if (store_set(store, "kept", "yes", &err) < 0 || store_begin(store, &err) < 0 ||
            store_set(store, "lost", "yes", &err) < 0)
            _exit(1);
        kill(getpid(), SIGKILL);
    }
    int status;
    CHECK_NUMBER(pid, waitpid(pid, &status, 0));
    CHECK(WIFSIGNALED(status));
    struct store *store = open_store(path);
    CHECK_NUMBER(0, store_get(store, "kept", &value, &err));
    CHECK_TEXT("yes", value);
    free(value);
    CHECK_NUMBER(0, store_get(store, "lost", &value, &err));
    CHECK_TEXT(NULL, value);
    store_close(store);
}

TEST(store_file_is_private)
{
    CLEANUP_FREE char *path = store_path();
    CLEANUP_FREE char *journal = xasprintf("%s-wal", path);
    struct stat status;
    struct err err;

    umask(0);
    CHECK_NUMBER(0, write_file(path, "", 0, 0644, &err));
    struct store *store = open_store(path);
    CHECK_NUMBER(0, stat(path, &status));
    CHECK_NUMBER(0600, status.st_mode & 0777);
    CHECK_NUMBER(0, stat(journal, &status));
    CHECK_NUMBER(0600, status.st_mode & 0777);
    umask(022);
    store_close(store);
}

static void check_refused(const char *path, const char *message)
{
    struct store *store = NULL;
    struct err err = {.message = ""};

    CHECK_NUMBER(-1, store_open(path, &store, &err));
    CHECK_NUMBER(ERR_STORAGE_ERROR, err.code);
    CHECK_HOLDS(message, err.message);
    CHECK(!store);
}

static void damage(const char *path, long offset, const void *bytes, size_t length)
{
    FILE *file = fopen(path, "r+");

    CHECK(file && fseek(file, offset, SEEK_SET) == 0 && fwrite(bytes, length, 1, file) == 1);
    fclose(file);
}

TEST(store_refuses_damaged_files)
{
    CLEANUP_FREE char *path = store_path();
    CLEANUP_FREE char *rubbish = xcalloc(1, 8192);
    struct err err;

    memset(rubbish, 0x5a, 8192);
    CHECK_NUMBER(0, write_file(path, "This is no database, but long enough.", 37, 0600, &err));
    check_refused(path, "is damaged");
    CHECK_NUMBER(0, unlink(path));
    struct store *store = open_store(path);
    for (int i = 0; i < 200; i++) {
        CLEANUP_FREE char *name = xasprintf("name-%d", i);
        CHECK_NUMBER(0, store_set(store, name, "a value that fills pages of the file", &err));
    }
    store_close(store);
    damage(path, 4096, rubbish, 8192);
    check_refused(path, "move it away");
    check_refused("/nonexistent/sliced.db", "No such file");
}

TEST(store_refuses_newer_and_foreign_files)
{
    CLEANUP_FREE char *path = store_path();

    store_close(open_store(path));
    damage(path, 60, "\1\0\0\0", 4); /* user_version, big-endian */
    check_refused(path, "written by a newer slicenode (format 16777216, this one knows ");
    CHECK_NUMBER(0, unlink(path));
    store_close(open_store(path));
    damage(path, 68, "abcd", 4); /* application_id */
    check_refused(path, "belongs to another program");
}

TEST(store_refuses_unreadable_documents)
{
    CLEANUP_FREE char *path = store_path();
    CLEANUP_FREE char *command = xasprintf(
        "python3 -c \"import sqlite3; c = sqlite3.connect('%s');"
        " c.execute('insert into slices (id, document) values (?, ?)', ('x', '{}')); c.commit()\"",
        path);
    struct slice slice;
    const struct slice *const *slices;
    size_t count;
    struct err err;

    store_close(open_store(path));
    CHECK_NUMBER(0, system(command));
    struct store *store = open_store(path);
    CHECK_NUMBER(-1, store_slice_find(store, "x", &slice, &err));
    CHECK_NUMBER(ERR_STORAGE_ERROR, err.code);
    CHECK_TEXT("the store: slice.state is missing", err.message);
    CHECK_NUMBER(-1, store_slices(store, &slices, &count, &err));
    store_close(store);
}
