/* The outbox of events. */
#include "base/err.h"
#include "base/json.h"
#include "base/memory.h"
#include "store/internal.h"
#include "store/store.h"

int store_event_add(struct store *store, const json_t *event, int64_t *seq, struct err *err)
{
    CLEANUP_FREE char *text = json_text(event);
    CLEANUP_QUERY sqlite3_stmt *query = store_query(
        store, err, "INSERT INTO events (document) VALUES (?) RETURNING seq", "t", text);

    if (!query || store_step(store, query, err) < 0)
        return -1;
    if (seq)
        *seq = sqlite3_column_int64(query, 0);
    return store_step(store, query, err);
}

int store_events(struct store *store, int64_t after, unsigned limit, size_t bytes_max,
                 json_t **events, struct err *err)
{
    CLEANUP_QUERY sqlite3_stmt *query = store_query(
        store, err, "SELECT seq, document FROM events WHERE seq > ? ORDER BY seq LIMIT ?", "ii",
        after, (int64_t)limit);
    json_t *array = json_array();
    int result = query ? 1 : -1;
    size_t bytes = 0;

    while (result > 0 && (result = store_step(store, query, err)) > 0) {
        json_t *event = NULL;

        bytes += (size_t)sqlite3_column_bytes(query, 1);
        if (json_array_size(array) > 0 && bytes > bytes_max)
            break;
        result = column_json(query, 1, &event, err) < 0 ? -1 : 1;
        if (result > 0) {
            json_object_set_new(event, "seq", json_integer(sqlite3_column_int64(query, 0)));
            json_array_append_new(array, event);
        }
    }
    if (result < 0) {
        json_decref(array);
        return -1;
    }
    *events = array;
    return 0;
}

/* The number given out last, also when that event is gone. */
static int last_seq(struct store *store, int64_t *seq, struct err *err)
{
    CLEANUP_QUERY sqlite3_stmt *query =
        store_query(store, err, "SELECT seq FROM sqlite_sequence WHERE name = 'events'", "");
    int found = query ? store_step(store, query, err) : -1;

    *seq = found == 1 ? sqlite3_column_int64(query, 0) : 0;
    return found < 0 ? -1 : 0;
}

/* The controller has numbers that this store never gave out: the store is younger than the node.
 * Goes on above them, or the controller would take every new event for an old one. */
static int skip_to(struct store *store, int64_t seq, struct err *err)
{
    if (seq > EVENT_SEQ_ACKNOWLEDGED_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "event number %lld is absurd", (long long)seq);
    if (store_run(store, err, NULL,
                  "UPDATE requests SET end_seq = end_seq + ?"
                  " WHERE end_seq >= (SELECT min(seq) FROM events)",
                  "i", seq) < 0 ||
        store_run(store, err, NULL, "UPDATE events SET seq = seq + ?", "i", seq) < 0 ||
        store_run(store, err, NULL, "DELETE FROM sqlite_sequence WHERE name = 'events'", "") < 0)
        return -1;
    return store_run(store, err, NULL,
                     "INSERT INTO sqlite_sequence (name, seq) SELECT 'events',"
                     " max(?, coalesce((SELECT max(seq) FROM events), 0))",
                     "i", seq);
}

static int acknowledge(struct store *store, int64_t seq, int64_t last, struct err *err)
{
    if (seq > last)
        return skip_to(store, seq, err);
    return store_run(store, err, NULL, "DELETE FROM events WHERE seq <= ?", "i", seq);
}

int store_events_acknowledge(struct store *store, int64_t seq, struct err *err)
{
    int64_t last;

    if (last_seq(store, &last, err) < 0)
        return -1;
    /* Events that a power cut brings back are sent once more, and the controller knows them by
     * number. */
    if ((seq > last ? store_begin(store, err) : store_begin_unsynced(store, err)) < 0)
        return -1;
    if (acknowledge(store, seq, last, err) < 0) {
        store_rollback(store);
        return -1;
    }
    return store_commit(store, err);
}

int store_events_count(struct store *store, size_t *count, struct err *err)
{
    CLEANUP_QUERY sqlite3_stmt *query = store_query(store, err, "SELECT count(*) FROM events", "");

    if (!query || store_step(store, query, err) < 0)
        return -1;
    *count = (size_t)sqlite3_column_int64(query, 0);
    return 0;
}
