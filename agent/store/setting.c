/* Settings and the thin volumes' numbers. */
#include "base/err.h"
#include "base/memory.h"
#include "store/internal.h"
#include "store/store.h"

#define THIN_ID_MAX 0xffffff /* the kernel's thin pool has 24 bits for it */

int store_get(struct store *store, const char *name, char **value, struct err *err)
{
    CLEANUP_QUERY sqlite3_stmt *query =
        store_query(store, err, "SELECT value FROM settings WHERE name = ?", "t", name);
    int found = query ? store_step(store, query, err) : -1;

    *value = NULL;
    if (found < 0)
        return -1;
    if (found)
        *value = xstrdup(column_text(query, 0));
    return 0;
}

int store_set(struct store *store, const char *name, const char *value, struct err *err)
{
    if (!value)
        return store_run(store, err, NULL, "DELETE FROM settings WHERE name = ?", "t", name);
    return store_run(store, err, NULL,
                     "INSERT INTO settings (name, value) VALUES (?, ?)"
                     " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                     "tt", name, value);
}

int store_next_thin_id(struct store *store, uint32_t *thin_id, struct err *err)
{
    CLEANUP_QUERY sqlite3_stmt *query =
        store_query(store, err,
                    "INSERT INTO settings (name, value) VALUES ('thin_id', '1')"
                    " ON CONFLICT (name) DO UPDATE SET value = CAST(value AS INTEGER) + 1"
                    " RETURNING CAST(value AS INTEGER)",
                    "");
    int64_t number;

    if (!query || store_step(store, query, err) < 0)
        return -1;
    number = sqlite3_column_int64(query, 0);
    if (number < 1 || number > THIN_ID_MAX)
        return err_set(err, ERR_STORAGE_ERROR, "all %d thin volume numbers have been given out",
                       THIN_ID_MAX);
    *thin_id = (uint32_t)number;
    /* The change counts as made only when the statement has been run to its end. */
    return store_step(store, query, err);
}
