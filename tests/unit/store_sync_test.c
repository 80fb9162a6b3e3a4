/* store: what waits for the disk, and what need not. */
#include "base/err.h"
#include "base/json.h"
#include "base/memory.h"
#include "store/outbox.h"
#include "store/store.h"
#include "unit.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned syncs;

/* In the place of libc's, for SQLite: how often the store waited for the disk. */
int fdatasync(int fd)
{
    (void)fd;
    syncs++;
    return 0;
}

static void add_event(struct store *store)
{
    CLEANUP_JSON json_t *event = json_pack("{s:s}", "type", "node.problem");
    struct err err;

    CHECK_NUMBER(0, store_event_add(store, event, NULL, &err));
}

TEST(store_waits_for_the_disk_but_not_to_forget_events)
{
    CLEANUP_FREE char *path = xasprintf("%s/sliced.db", unit_folder());
    struct store *store;
    struct err err;

    if (!CHECK_NUMBER(0, store_open(path, &store, &err)))
        return;
    for (int i = 0; i < 3; i++) {
        syncs = 0;
        add_event(store);
        CHECK(syncs > 0);
        syncs = 0;
        CHECK_NUMBER(0, store_events_acknowledge(store, i + 1, &err));
        CHECK_NUMBER(0, syncs);
    }
    /* An inner transaction waits with the outer one. */
    CHECK_NUMBER(0, store_begin(store, &err));
    syncs = 0;
    for (int i = 0; i < 3; i++) {
        CHECK_NUMBER(0, store_begin(store, &err));
        add_event(store);
        CHECK_NUMBER(0, store_commit(store, &err));
    }
    CHECK_NUMBER(0, syncs);
    CHECK_NUMBER(0, store_commit(store, &err));
    CHECK_NUMBER(1, syncs);
    /* Within a transaction that is of more, and where numbers are skipped, it waits. */
    CHECK_NUMBER(0, store_begin(store, &err));
    add_event(store);
    CHECK_NUMBER(0, store_events_acknowledge(store, 4, &err));
    CHECK_NUMBER(0, store_commit(store, &err));
    CHECK(syncs > 0);
    syncs = 0;
    CHECK_NUMBER(0, store_events_acknowledge(store, 100, &err));
    CHECK(syncs > 0);
    store_close(store);
}

static int64_t log_bytes(const char *path)
{
    CLEANUP_FREE char *log = xasprintf("%s-wal", path);
    struct stat status;

    return CHECK_NUMBER(0, stat(log, &status)) ? (int64_t)status.st_size : 0;
}

/* A commit that makes the log longer waits for the file system's journal, too: there is room before. */
TEST(store_log_keeps_its_length)
{
    CLEANUP_FREE char *path = xasprintf("%s/sliced.db", unit_folder());
    struct store *store;
    struct err err;
    unsigned changes = 0;

    if (!CHECK_NUMBER(0, store_open(path, &store, &err)))
        return;
    int64_t bytes = log_bytes(path);
    CHECK_NUMBER(2 << 20, bytes);
    for (int i = 0; i < 2000; i++) {
        add_event(store);
        changes += log_bytes(path) != bytes;
    }
    CHECK_NUMBER(0, changes);
    store_close(store);
}

static void write_and_die(const char *path, int count)
{
    struct store *store;
    struct err err;

    if (store_open(path, &store, &err) < 0)
        _exit(1);
    for (int i = 0; i < count; i++) {
        if (store_begin(store, &err) < 0)
            _exit(1);
        add_event(store);
        if (store_commit(store, &err) < 0)
            _exit(1);
    }
    kill(getpid(), SIGKILL);
}

/* What was committed is read from a log with room behind it, before and after it has begun anew. */
TEST(store_log_with_room_is_read_after_a_kill)
{
    CLEANUP_FREE char *path = xasprintf("%s/sliced.db", unit_folder());
    static const int counts[] = {1, 100, 2000};
    int64_t events = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
        struct store *store;
        struct err err;
        size_t count;
        int status;
        pid_t pid = fork();
        if (pid == 0)
            write_and_die(path, counts[i]);
        CHECK_NUMBER(pid, waitpid(pid, &status, 0));
        CHECK(WIFSIGNALED(status));
        CHECK_NUMBER(2 << 20, log_bytes(path));
        if (!CHECK_NUMBER(0, store_open(path, &store, &err)))
            return;
        events += counts[i];
        CHECK_NUMBER(0, store_events_count(store, &count, &err));
        CHECK_NUMBER(events, (int64_t)count);
        store_close(store);
    }
}
