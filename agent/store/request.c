/* Requests. */
#include "model/request.h"
#include "base/err.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/internal.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#define REQUEST_COLUMNS                                                                            \
    "id, operation, slice, args, deadline_ms, internal, phase, step, scratch, result, error_code," \
    " error_message, end_seq"

int store_request_add(struct store *store, const struct request *request, bool internal,
                      struct err *err)
{
    CLEANUP_FREE char *args = json_text(request->args);
    int changed;

    if (store_run(store, err, &changed,
                  "INSERT INTO requests (id, operation, slice, args, deadline_ms, internal, phase,"
                  " step) VALUES (?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT (id) DO NOTHING",
                  "ttttiii", request->id, operation_name(request->operation), request->slice, args,
                  request->deadline_ms, (int64_t)internal, (int64_t)REQUEST_QUEUED) < 0)
        return -1;
    return changed;
}

static char *dumped_or_null(const json_t *value)
{
    return value ? json_text(value) : NULL;
}

/* What was asked for is of no use any more when the request has ended, and may be large. */
int store_request_update(struct store *store, const struct request_record *record, struct err *err)
{
    CLEANUP_FREE char *scratch = dumped_or_null(record->scratch);
    CLEANUP_FREE char *result = dumped_or_null(record->result);
    bool failed = record->error.code != ERR_NONE, ended = record->phase >= REQUEST_DONE;
    int changed;

    if (store_run(store, err, &changed,
                  "UPDATE requests SET phase = ?1, step = ?2, scratch = ?3, result = ?4,"
                  " error_code = ?5, error_message = ?6, args = iif(?8, '{}', args),"
                  " end_seq = iif(?8, coalesce((SELECT seq FROM sqlite_sequence"
                  " WHERE name = 'events'), 0), NULL) WHERE id = ?7",
                  "iittttti", (int64_t)record->phase, (int64_t)record->step, scratch, result,
                  failed ? err_code_name(record->error.code) : NULL,
                  failed ? record->error.message : NULL, record->request.id, (int64_t)ended) < 0)
        return -1;
    if (changed != 1)
        return err_set(err, ERR_INTERNAL, "request %s is not in the store", record->request.id);
    return 0;
}

static int operation_from_row(sqlite3_stmt *query, enum operation *operation, struct err *err)
{
    for (unsigned i = 0; i < OP_COUNT; i++) {
        if (strcmp(operation_name((enum operation)i), column_text(query, 1)) == 0) {
            *operation = (enum operation)i;
            return 0;
        }
    }
    return err_set(err, ERR_STORAGE_ERROR, "the store has a request for the unknown operation %s",
                   quoted(column_text(query, 1)).text);
}

static int record_from_row(sqlite3_stmt *query, struct request_record *record, struct err *err)
{
    int phase = sqlite3_column_int(query, 6);

    *record = (struct request_record){
        .request = {.deadline_ms = sqlite3_column_int64(query, 4)},
        .internal = sqlite3_column_int(query, 5) != 0,
        .phase = (enum request_phase)phase,
        .step = (unsigned)sqlite3_column_int64(query, 7),
        .end_seq = sqlite3_column_int64(query, 12),
    };
    if (phase < REQUEST_QUEUED || phase > REQUEST_FAILED)
        return err_set(err, ERR_STORAGE_ERROR, "the store has a request in the unknown phase %d",
                       phase);
    if (sqlite3_column_type(query, 10) != SQLITE_NULL)
        err_set(&record->error, err_code_from_name(column_text(query, 10)), "%s",
                column_text(query, 11));
    if (operation_from_row(query, &record->request.operation, err) ||
        column_copy(query, 0, record->request.id, sizeof(record->request.id), err) ||
        column_copy(query, 2, record->request.slice, sizeof(record->request.slice), err) ||
        column_json(query, 3, &record->request.args, err) ||
        column_json(query, 8, &record->scratch, err) ||
        column_json(query, 9, &record->result, err)) {
        request_record_free(record);
        return -1;
    }
    return 0;
}

int store_request_find(struct store *store, const char *id, struct request_record *record,
                       struct err *err)
{
    CLEANUP_QUERY sqlite3_stmt *query =
        store_query(store, err, "SELECT " REQUEST_COLUMNS " FROM requests WHERE id = ?", "t", id);
    int found = query ? store_step(store, query, err) : -1;

    if (found == 1 && record_from_row(query, record, err) < 0)
        return -1;
    return found;
}

int store_requests_open(struct store *store, struct request_record **records, size_t *count,
                        struct err *err)
{
    CLEANUP_QUERY sqlite3_stmt *query = store_query(
        store, err, "SELECT " REQUEST_COLUMNS " FROM requests WHERE phase < ? ORDER BY sequence",
        "i", (int64_t)REQUEST_DONE);
    struct request_record *array = NULL;
    size_t used = 0;
    int result = query ? 1 : -1;

    while (result > 0 && (result = store_step(store, query, err)) > 0) {
        array = array_grow(array, used, sizeof(*array));
        result = record_from_row(query, &array[used], err) < 0 ? -1 : 1;
        used += result > 0;
    }
    if (result < 0) {
        request_records_free(array, used);
        return -1;
    }
    *records = array;
    *count = used;
    return 0;
}

void request_record_free(struct request_record *record)
{
    request_free(&record->request);
    json_decref(record->scratch);
    json_decref(record->result);
    record->scratch = NULL;
    record->result = NULL;
}

void request_records_free(struct request_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++)
        request_record_free(&records[i]);
    free(records);
}

/* Forgets what ended before the newest `keep`, as far as its end's number is below `limit`. */
static int trim(struct store *store, unsigned keep, int64_t limit, struct err *err)
{
    return store_run(store, err, NULL,
                     "DELETE FROM requests WHERE (end_seq, sequence) <= (SELECT end_seq, sequence"
                     " FROM requests WHERE end_seq IS NOT NULL"
                     " ORDER BY end_seq DESC, sequence DESC LIMIT 1 OFFSET ?1) AND end_seq < ?2",
                     "ii", (int64_t)keep, limit);
}

int store_requests_trim(struct store *store, unsigned keep, unsigned keep_untold, struct err *err)
{
    CLEANUP_QUERY sqlite3_stmt *query = store_query(store, err, "SELECT min(seq) FROM events", "");

    if (!query || store_step(store, query, err) < 0)
        return -1;
    if (trim(store, keep,
             sqlite3_column_type(query, 0) == SQLITE_NULL ? INT64_MAX
                                                          : sqlite3_column_int64(query, 0),
             err) < 0)
        return -1;
    return trim(store, keep_untold, INT64_MAX, err);
}

int store_results_trim(struct store *store, size_t bytes, struct err *err)
{
    return store_run(store, err, NULL,
                     "UPDATE requests SET result = NULL WHERE sequence IN"
                     " (SELECT sequence FROM (SELECT sequence, sum(length(CAST(result AS BLOB)))"
                     " OVER (ORDER BY sequence DESC) AS total FROM requests"
                     " WHERE phase >= ?1 AND result IS NOT NULL) WHERE total > ?2)",
                     "ii", (int64_t)REQUEST_DONE, (int64_t)bytes);
}
