/* Statements that are prepared once and kept, and transactions. */
#include "base/err.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/internal.h"
#include "store/store.h"

#include <stdarg.h>
#include <string.h>

int store_error(struct store *store, const char *what, struct err *err)
{
    return err_set(err, ERR_STORAGE_ERROR, "%s: %s: %s", store->path, what,
                   sqlite3_errmsg(store->database));
}

int store_execute(struct store *store, const char *sql, const char *what, struct err *err)
{
    if (sqlite3_exec(store->database, sql, NULL, NULL, NULL) != SQLITE_OK)
        return store_error(store, what, err);
    return 0;
}

void cleanup_query(sqlite3_stmt **query)
{
    if (*query) {
        sqlite3_reset(*query);
        sqlite3_clear_bindings(*query);
    }
}

static sqlite3_stmt *prepared(struct store *store, const char *sql, struct err *err)
{
    sqlite3_stmt *statement = NULL;

    for (unsigned i = 0; i < store->statement_count; i++)
        if (store->statements[i].sql == sql)
            return store->statements[i].statement;
    if (store->statement_count == STATEMENTS_MAX) {
        err_set(err, ERR_INTERNAL, "more than %d statements", STATEMENTS_MAX);
        return NULL;
    }
    if (sqlite3_prepare_v3(store->database, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
        SQLITE_OK) {
        store_error(store, "cannot prepare a statement", err);
        return NULL;
    }
    store->statements[store->statement_count].sql = sql;
    store->statements[store->statement_count].statement = statement;
    store->statement_count++;
    return statement;
}

static void bind(sqlite3_stmt *query, const char *types, va_list arguments)
{
    for (int i = 1; *types; types++, i++) {
        if (*types == 't')
            sqlite3_bind_text(query, i, va_arg(arguments, const char *), -1, SQLITE_TRANSIENT);
        else
            sqlite3_bind_int64(query, i, va_arg(arguments, int64_t));
    }
}

int store_check(const struct store *store, struct err *err)
{
    /* Without its transaction, what follows an inner rollback would be committed by itself. */
    if (store->aborted)
        return err_set(err, ERR_INTERNAL, "%s: the transaction was rolled back", store->path);
    return 0;
}

static sqlite3_stmt *query_list(struct store *store, struct err *err, const char *sql,
                                const char *types, va_list arguments)
{
    sqlite3_stmt *query;

    if (store_check(store, err) < 0)
        return NULL;
    query = prepared(store, sql, err);
    if (query)
        bind(query, types, arguments);
    return query;
}

sqlite3_stmt *store_query(struct store *store, struct err *err, const char *sql, const char *types,
                          ...)
{
    sqlite3_stmt *query;
    va_list arguments;

    va_start(arguments, types);
    query = query_list(store, err, sql, types, arguments);
    va_end(arguments);
    return query;
}

int store_step(struct store *store, sqlite3_stmt *query, struct err *err)
{
    switch (sqlite3_step(query)) {
    case SQLITE_ROW:
        return 1;
    case SQLITE_DONE:
        return 0;
    default:
        return store_error(store, "a statement failed", err);
    }
}

int store_run(struct store *store, struct err *err, int *changed, const char *sql,
              const char *types, ...)
{
    CLEANUP_QUERY sqlite3_stmt *query = NULL;
    va_list arguments;

    va_start(arguments, types);
    query = query_list(store, err, sql, types, arguments);
    va_end(arguments);
    if (!query || store_step(store, query, err) < 0)
        return -1;
    if (changed)
        *changed = sqlite3_changes(store->database);
    return 0;
}

const char *column_text(sqlite3_stmt *query, int column)
{
    const unsigned char *text = sqlite3_column_text(query, column);

    return text ? (const char *)text : "";
}

int column_copy(sqlite3_stmt *query, int column, char *to, size_t size, struct err *err)
{
    if (!copy_text(to, size, column_text(query, column)))
        return err_set(err, ERR_STORAGE_ERROR, "the store's %s %s is too long",
                       sqlite3_column_name(query, column), quoted(column_text(query, column)).text);
    return 0;
}

int column_json(sqlite3_stmt *query, int column, json_t **value, struct err *err)
{
    const char *text = column_text(query, column);
    json_error_t problem;

    *value = NULL;
    if (sqlite3_column_type(query, column) == SQLITE_NULL)
        return 0;
    *value = json_loads(text, JSON_DECODE_ANY, &problem);
    if (!*value)
        return err_set(err, ERR_STORAGE_ERROR, "the store's %s is not JSON: %s",
                       sqlite3_column_name(query, column), problem.text);
    return 0;
}

void *array_grow(void *array, size_t count, size_t size)
{
    /* Doubled at each power of two. */
    if ((count & (count - 1)) == 0)
        array = xrealloc(array, (count ? count * 2 : 1) * size);
    memset((char *)array + count * size, 0, size);
    return array;
}
