/* The outbox's bounds: a controller that is away for days must not fill the state volume. */
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/internal.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>

int store_event_replace(struct store *store, int64_t seq, const json_t *event, struct err *err)
{
    CLEANUP_FREE char *text = json_text(event);

    return store_run(store, err, NULL, "UPDATE events SET document = ? WHERE seq = ?", "ti", text,
                     seq);
}

static int sum(struct store *store, size_t *count, size_t *bytes, struct err *err)
{
    CLEANUP_QUERY sqlite3_stmt *query = store_query(
        store, err, "SELECT count(*), coalesce(sum(length(CAST(document AS BLOB))), 0) FROM events",
        "");

    if (!query || store_step(store, query, err) < 0)
        return -1;
    *count = (size_t)sqlite3_column_int64(query, 0);
    *bytes = (size_t)sqlite3_column_int64(query, 1);
    return 0;
}

struct range {
    int64_t first; /* that the dropped events stand for, with those dropped before */
    int64_t last;
    int64_t dropped;
    char time[TIME_TEXT_BYTES]; /* of the last one */
};

/* Adds the oldest event that is left to the range. */
static int add_oldest(struct range *range, sqlite3_stmt *query, struct err *err)
{
    CLEANUP_JSON json_t *event = NULL;
    const json_t *earlier;

    if (column_json(query, 1, &event, err) < 0)
        return -1;
    range->last = sqlite3_column_int64(query, 0);
    earlier = json_object_get(json_object_get(event, "result"), "first_seq");
    if (!range->first)
        range->first = json_is_integer(earlier) ? json_integer_value(earlier) : range->last;
    earlier = json_object_get(json_object_get(event, "result"), "dropped");
    range->dropped += json_is_integer(earlier) ? json_integer_value(earlier) : 1;
    copy_text(range->time, sizeof(range->time), json_string_value(json_object_get(event, "time")));
    return 0;
}

/* The oldest events, as many as have to go. */
static int choose(struct store *store, size_t count_excess, size_t bytes_excess,
                  struct range *range, int *rows, struct err *err)
{
    CLEANUP_QUERY sqlite3_stmt *query =
        store_query(store, err, "SELECT seq, document FROM events ORDER BY seq", "");
    size_t count = 0, bytes = 0;
    int result = query ? 1 : -1;

    while ((count <= count_excess || bytes <= bytes_excess) && result > 0 &&
           (result = store_step(store, query, err)) > 0) {
        count++;
        bytes += (size_t)sqlite3_column_bytes(query, 1);
        if (add_oldest(range, query, err) < 0)
            return -1;
    }
    *rows = (int)count;
    return result < 0 ? -1 : 0;
}

static int put_marker(struct store *store, const struct range *range, struct err *err)
{
    char text[160];
    CLEANUP_JSON json_t *event = NULL;

    snprintf(text, sizeof(text),
             "%" PRId64 " events, numbers %" PRId64 " to %" PRId64
             ", were dropped: the controller was away for too long",
             range->dropped, range->first, range->last);
    event =
        json_pack("{s:s, s:n, s:n, s:s, s:n, s:n, s:{s:I, s:I}, s:{s:s, s:s}}", "time", range->time,
                  "request", "slice", "type", "node.problem", "step", "progress", "result",
                  "first_seq", (json_int_t)range->first, "dropped", (json_int_t)range->dropped,
                  "error", "code", "controller_unreachable", "message", text);
    /* The marker stands for the ends among them, too. */
    if (store_event_replace(store, range->last, event, err) < 0 ||
        store_run(store, err, NULL,
                  "UPDATE requests SET end_seq = ?2 WHERE end_seq >= ?1 AND end_seq < ?2", "ii",
                  range->first, range->last) < 0)
        return -1;
    return store_run(store, err, NULL, "DELETE FROM events WHERE seq < ?", "i", range->last);
}

int store_events_bound(struct store *store, size_t count_max, size_t bytes_max, struct err *err)
{
    size_t count, bytes, count_wanted = count_max - count_max / 10;
    size_t bytes_wanted = bytes_max - bytes_max / 10;
    struct range range = {0};
    int rows = 0;

    if (sum(store, &count, &bytes, err) < 0)
        return -1;
    if (count <= count_max && bytes <= bytes_max)
        return 0;
    if (store_begin(store, err) < 0)
        return -1;
    if (choose(store, count > count_wanted ? count - count_wanted : 0,
               bytes > bytes_wanted ? bytes - bytes_wanted : 0, &range, &rows, err) < 0 ||
        put_marker(store, &range, err) < 0) {
        store_rollback(store);
        return -1;
    }
    return store_commit(store, err) < 0 ? -1 : rows;
}
