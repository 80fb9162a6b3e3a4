#include "base/err.h"
#include "base/memory.h"
#include "store/internal.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BUSY_TIMEOUT_MS 5000
/* Of the file, kept for what comes; beyond it the file shrinks when the agent starts. */
#define FREE_BYTES_MAX (4 << 20)
#define APPLICATION_ID 1936483683 /* "slic" */

static const char schema[] =
    "BEGIN;"
    "CREATE TABLE settings (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE slices ("
    " sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, document TEXT NOT NULL);"
    "CREATE TABLE images ("
    " sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
    " kind INTEGER NOT NULL, compression INTEGER NOT NULL, url TEXT NOT NULL, sha256 TEXT NOT NULL,"
    " transfer_bytes INTEGER NOT NULL, size_bytes INTEGER NOT NULL, mapped_bytes INTEGER NOT NULL,"
    " thin_id INTEGER NOT NULL, ready INTEGER NOT NULL);"
    "CREATE TABLE snapshots ("
    " sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
    " slice TEXT NOT NULL REFERENCES slices (id) ON DELETE CASCADE,"
    " name TEXT NOT NULL, created_ms INTEGER NOT NULL, thin_id INTEGER NOT NULL,"
    " reserved_bytes INTEGER NOT NULL, size_bytes INTEGER NOT NULL);"
    "CREATE INDEX snapshots_of_slice ON snapshots (slice, created_ms);"
    "CREATE TABLE requests ("
    " sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
    " operation TEXT NOT NULL, slice TEXT NOT NULL, args TEXT NOT NULL,"
    " deadline_ms INTEGER NOT NULL, internal INTEGER NOT NULL, phase INTEGER NOT NULL,"
    " step INTEGER NOT NULL, scratch TEXT, result TEXT, error_code TEXT, error_message TEXT);"
    "CREATE INDEX requests_by_phase ON requests (phase);"
    "CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, document TEXT NOT NULL);"
    "PRAGMA application_id = 1936483683;"
    "PRAGMA user_version = 1;"
    "COMMIT;";

/* What brings a file of version n + 1 to the one after it; a new file goes through all of them. */
static const char *const migrations[] = {
    "ALTER TABLE images ADD COLUMN used_ms INTEGER NOT NULL DEFAULT 0;",
    "CREATE TABLE volumes ("
    " sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,"
    " state INTEGER NOT NULL, size_gib INTEGER NOT NULL, thin_id INTEGER NOT NULL,"
    " slice TEXT REFERENCES slices (id) ON DELETE SET NULL, slot INTEGER NOT NULL);"
    "CREATE UNIQUE INDEX volumes_of_slice ON volumes (slice, slot) WHERE slice IS NOT NULL;",
    "ALTER TABLE snapshots ADD COLUMN memory_thin_id INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE snapshots ADD COLUMN memory_bytes INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE snapshots ADD COLUMN memory_crc INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE snapshots ADD COLUMN memory_vcpus INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE snapshots ADD COLUMN memory_max_vcpus INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE snapshots ADD COLUMN memory_mib INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE snapshots ADD COLUMN memory_max_mib INTEGER NOT NULL DEFAULT 0;",
    /* The number of the last event when a request has ended; NULL before. */
    "ALTER TABLE requests ADD COLUMN end_seq INTEGER;"
    "UPDATE requests SET end_seq ="
    " coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0) WHERE phase >= 3;"
    "CREATE INDEX requests_by_end ON requests (end_seq) WHERE end_seq IS NOT NULL;",
};

#define SCHEMA_VERSION (1 + (int)ARRAY_LENGTH(migrations))

/* The first column of the first row of a pragma or query. */
static int64_t number_of(struct store *store, const char *sql)
{
    sqlite3_stmt *query = NULL;
    int64_t number = -1;

    if (sqlite3_prepare_v2(store->database, sql, -1, &query, NULL) == SQLITE_OK &&
        sqlite3_step(query) == SQLITE_ROW)
        number = sqlite3_column_int64(query, 0);
    sqlite3_finalize(query);
    return number;
}

static int damaged(struct store *store, const char *detail, struct err *err)
{
    return err_set(
        err, ERR_STORAGE_ERROR,
        "%s is damaged (%s): move it away, together with its -wal file, to start with an "
        "empty one; the slices' disks are not touched by that",
        store->path, detail);
}

static int check_integrity(struct store *store, struct err *err)
{
    sqlite3_stmt *query = NULL;
    int result = 0;

    if (sqlite3_prepare_v2(store->database, "PRAGMA quick_check(1)", -1, &query, NULL) !=
            SQLITE_OK ||
        sqlite3_step(query) != SQLITE_ROW)
        result = damaged(store, sqlite3_errmsg(store->database), err);
    else if (strcmp(column_text(query, 0), "ok") != 0)
        result = damaged(store, column_text(query, 0), err);
    sqlite3_finalize(query);
    return result;
}

static int migrate(struct store *store, int64_t version, struct err *err)
{
    for (; version < SCHEMA_VERSION; version++) {
        CLEANUP_FREE char *sql = xasprintf("BEGIN; %s PRAGMA user_version = %lld; COMMIT;",
                                           migrations[version - 1], (long long)version + 1);

        if (store_execute(store, sql, "cannot be brought to this version's format", err) < 0) {
            sqlite3_exec(store->database, "ROLLBACK", NULL, NULL, NULL);
            return -1;
        }
    }
    return 0;
}

static int prepare_schema(struct store *store, struct err *err)
{
    int64_t version, tables;

    if (check_integrity(store, err) < 0)
        return -1;
    version = number_of(store, "PRAGMA user_version");
    tables = number_of(store, "SELECT count(*) FROM sqlite_master");
    if (version == 0 && tables == 0)
        return store_execute(store, schema, "cannot create the tables", err) < 0
                   ? -1
                   : migrate(store, 1, err);
    if (number_of(store, "PRAGMA application_id") != APPLICATION_ID)
        return damaged(store, "it belongs to another program", err);
    if (version > SCHEMA_VERSION)
        return err_set(err, ERR_STORAGE_ERROR,
                       "%s was written by a newer slicenode (format %lld, this one knows %d): boot "
                       "that version, or a later one, again",
                       store->path, (long long)version, SCHEMA_VERSION);
    if (version < 1)
        return damaged(store, "unknown format", err);
    return migrate(store, version, err);
}

/* Made before SQLite opens it, so that it is at no time readable by others; SQLite gives its
 * companion files the same mode. */
static int create_file(const char *path, struct err *err)
{
    CLEANUP_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 || fchmod(fd, 0600) < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "%s", path);
    return 0;
}

/* Pages that are free are used again but not given back, and so after a long absence of the
 * controller: now nothing waits for the store. */
static int make_small(struct store *store, struct err *err)
{
    int64_t page_bytes = number_of(store, "PRAGMA page_size");
    int64_t free_pages = number_of(store, "PRAGMA freelist_count");

    if (free_pages * page_bytes < FREE_BYTES_MAX)
        return 0;
    return store_execute(store, "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)", "cannot be made small",
                         err);
}

static int open_database(struct store *store, struct err *err)
{
    if (strcmp(store->path, ":memory:") != 0 && create_file(store->path, err) < 0)
        return -1;
    if (sqlite3_open_v2(store->path, &store->database, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        return store_error(store, "cannot be opened", err);
    sqlite3_extended_result_codes(store->database, 1);
    sqlite3_busy_timeout(store->database, BUSY_TIMEOUT_MS);
    if (sqlite3_exec(store->database, "PRAGMA journal_mode = WAL", NULL, NULL, NULL) != SQLITE_OK)
        return damaged(store, sqlite3_errmsg(store->database), err);
    CLEANUP_FREE char *settings = xasprintf(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
        " PRAGMA wal_autocheckpoint = %d; PRAGMA journal_size_limit = %d",
        STORE_LOG_PAGES, STORE_LOG_BYTES);
    if (store_execute(store, settings, "cannot be set up", err) < 0)
        return -1;
    if (prepare_schema(store, err) < 0)
        return -1;
    if (make_small(store, err) < 0)
        return -1;
    store_log_make_room(store);
    return 0;
}

int store_open(const char *path, struct store **store, struct err *err)
{
    struct store *opened = xcalloc(1, sizeof(*opened));

    opened->path = xstrdup(path);
    if (open_database(opened, err) < 0) {
        store_close(opened);
        return -1;
    }
    *store = opened;
    return 0;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    for (unsigned i = 0; i < store->statement_count; i++)
        sqlite3_finalize(store->statements[i].statement);
    sqlite3_close(store->database);
    store_slices_forget(store);
    free(store->path);
    free(store);
}
