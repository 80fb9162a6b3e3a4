/* What the store's files share among themselves: statements that are prepared once and kept. */
#ifndef SLICENODE_STORE_INTERNAL_H
#define SLICENODE_STORE_INTERNAL_H

#include "base/err.h"
#include "model/nic.h"
#include "model/slice.h"
#include "store/store.h"

#include <jansson.h>
#include <sqlite3.h>
#include <stdbool.h>

/* Texts in our source. One more is an error that the tests would meet. */
#define STATEMENTS_MAX 128

/* Of the write-ahead log: a little more than STORE_LOG_PAGES with their headers. */
#define STORE_LOG_BYTES (2 << 20)

/* All slices as the store has them, so that lists, which are asked for often, need no JSON. */
struct slice_cache {
    struct slice **slices; /* in order of creation; owned, and so is each */
    size_t count;
    bool known;   /* else they are to be read */
    bool changed; /* within the present transaction, or read within it */
};

struct store {
    sqlite3 *database;
    char *path;
    struct {
        const char *sql;
        sqlite3_stmt *statement;
    } statements[STATEMENTS_MAX];
    unsigned statement_count;
    unsigned depth; /* of store_begin */
    bool unsynced;  /* the outermost transaction does not wait for the disk */
    bool aborted;   /* all was rolled back, and an outer store_begin has not heard of it */
    struct slice_cache cache;
    struct commit_watch watch;
};

/* wal.c: when the store is open. */
void store_log_make_room(struct store *store);

/* Forgets the cached slices. */
void store_slices_forget(struct store *store);

/* -1 when the transaction that this would belong to has been rolled back. */
int store_check(const struct store *store, struct err *err);

/* What the database says went wrong; -1. */
int store_error(struct store *store, const char *what, struct err *err);

/* Runs SQL that is used once; `what` is said when it fails. */
int store_execute(struct store *store, const char *sql, const char *what, struct err *err);

/* A statement that is reset, and so free for its next use, at the end of scope. */
void cleanup_query(sqlite3_stmt **query);
#define CLEANUP_QUERY __attribute__((cleanup(cleanup_query)))

/* Makes a statement ready to be stepped. `types` has one letter for each parameter that follows:
 * 't' for a text (const char *, NULL for NULL), 'i' for an int64_t. `sql` must be a literal: its
 * address is what it is kept by. NULL at an error. */
sqlite3_stmt *store_query(struct store *store, struct err *err, const char *sql, const char *types,
                          ...);

/* 1 with a row, 0 at the end, -1. */
int store_step(struct store *store, sqlite3_stmt *query, struct err *err);

/* Runs a statement that gives no rows; *changed, which may be NULL, is the number of rows
 * changed. */
int store_run(struct store *store, struct err *err, int *changed, const char *sql,
              const char *types, ...);

/* As store_begin, but its end does not wait for the disk: what a power cut may take back. Within
 * a transaction that waits, it waits with that one. */
int store_begin_unsynced(struct store *store, struct err *err);

/* Columns of the present row. */
const char *column_text(sqlite3_stmt *query, int column); /* "" for NULL */
int column_copy(sqlite3_stmt *query, int column, char *to, size_t size, struct err *err);
/* A JSON document; NULL for NULL. */
int column_json(sqlite3_stmt *query, int column, json_t **value, struct err *err);

/* An array that grows by elements of `size` bytes; returns the place of the next one, zeroed. */
void *array_grow(void *array, size_t count, size_t size);

#endif
