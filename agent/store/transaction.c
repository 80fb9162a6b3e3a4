/* Transactions, which nest. */
#include "base/err.h"
#include "store/internal.h"
#include "store/store.h"

int store_begin(struct store *store, struct err *err)
{
    if ((store->depth == 0 ? store_run(store, err, NULL, "BEGIN IMMEDIATE", "")
                           : store_run(store, err, NULL, "SAVEPOINT inner", "")) < 0)
        return -1;
    store->depth++;
    return 0;
}

/* SQLite takes this between transactions only. */
static int set_synced(struct store *store, bool synced, struct err *err)
{
    store->unsynced = !synced;
    return store_execute(store,
                         synced ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
                         "cannot be set up", err);
}

/* After a transaction's end. */
static int end(struct store *store, struct err *err)
{
    if (store->depth == 0)
        store->cache.changed = false;
    return store->depth == 0 && store->unsynced ? set_synced(store, true, err) : 0;
}

bool store_in_transaction(const struct store *store)
{
    return store->depth > 0;
}

int store_begin_unsynced(struct store *store, struct err *err)
{
    if (store->depth == 0 && set_synced(store, false, err) < 0)
        return -1;
    if (store_begin(store, err) == 0)
        return 0;
    end(store, NULL);
    return -1;
}

int store_commit(struct store *store, struct err *err)
{
    if (store->depth == 0)
        return err_set(err, ERR_INTERNAL, "%s: commit without a transaction", store->path);
    if (store->aborted) {
        store_rollback(store);
        return err_set(err, ERR_INTERNAL, "%s: the transaction was rolled back", store->path);
    }
    if ((store->depth == 1 ? store_run(store, err, NULL, "COMMIT", "")
                           : store_run(store, err, NULL, "RELEASE inner", "")) < 0) {
        store_rollback(store);
        return -1;
    }
    store->depth--;
    return end(store, err);
}

void store_rollback(struct store *store)
{
    if (store->depth == 0)
        return;
    /* SQLite may have rolled back all of it by itself, for example when the disk is full. */
    if (!sqlite3_get_autocommit(store->database) &&
        (store->depth == 1 || sqlite3_exec(store->database, "ROLLBACK TO inner; RELEASE inner",
                                           NULL, NULL, NULL) != SQLITE_OK))
        sqlite3_exec(store->database, "ROLLBACK", NULL, NULL, NULL);
    if (store->cache.changed)
        store_slices_forget(store);
    store->depth--;
    store->aborted = store->depth > 0 && sqlite3_get_autocommit(store->database);
    end(store, NULL);
}

static int before_commit(void *context)
{
    const struct store *store = context;
    store->watch.before(store->watch.context);
    return 0;
}

static int after_commit(void *context, sqlite3 *database, const char *name, int pages)
{
    const struct store *store = context;
    store->watch.after(store->watch.context);
    if (pages >= STORE_LOG_PAGES) /* as SQLite does by itself, which the hook replaces */
        sqlite3_wal_checkpoint(database, name);
    return SQLITE_OK;
}

void store_watch_commits(struct store *store, const struct commit_watch *watch)
{
    store->watch = *watch;
    sqlite3_commit_hook(store->database, before_commit, store);
    sqlite3_wal_hook(store->database, after_commit, store);
}
