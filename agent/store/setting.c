/* Settings and the thin volumes' numbers. */
#include "base/err.h"
#include "base/memory.h"
#include "store/internal.h"
#include "store/store.h"

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

int store_thin_id_last(struct store *store, uint32_t *last, bool *again, struct err *err)
{
    CLEANUP_QUERY sqlite3_stmt *query = store_query(
        store, err,
        "SELECT coalesce((SELECT CAST(value AS INTEGER) FROM settings WHERE name = 'thin_id'), 0),"
        " EXISTS (SELECT 1 FROM settings WHERE name = 'thin_ids_again')",
        "");
    int64_t number;

    if (!query || store_step(store, query, err) < 0)
        return -1;
    number = sqlite3_column_int64(query, 0);
    *last = number < 0 ? 0 : number > THIN_ID_MAX ? THIN_ID_MAX : (uint32_t)number;
    *again = sqlite3_column_int(query, 1);
    return 0;
}

int store_thin_id_give(struct store *store, uint32_t thin_id, bool again, struct err *err)
{
    if (again && store_set(store, "thin_ids_again", "1", err) < 0)
        return -1;
    return store_run(store, err, NULL,
                     "INSERT INTO settings (name, value) VALUES ('thin_id', ?1)"
                     " ON CONFLICT (name) DO UPDATE SET value = ?1",
                     "i", (int64_t)thin_id);
}

int store_thin_id_floor(struct store *store, uint32_t thin_id, struct err *err)
{
    return store_run(store, err, NULL,
                     "INSERT INTO settings (name, value) SELECT 'thin_id', ?1"
                     " WHERE NOT EXISTS (SELECT 1 FROM settings WHERE name = 'thin_ids_again')"
                     " ON CONFLICT (name) DO UPDATE SET value = ?1"
                     " WHERE CAST(value AS INTEGER) < ?1",
                     "i", (int64_t)thin_id);
}

/* A slice is a document, a plan a document within one; the names are those of model/document.c and
 * plan/document.c. */
static const char all_thin_ids[] =
    "SELECT thin_id AS id FROM images"
    " UNION SELECT thin_id FROM snapshots UNION SELECT memory_thin_id FROM snapshots"
    " UNION SELECT thin_id FROM volumes"
    " UNION SELECT json_extract(document, '$.disk_thin_id') FROM slices"
    " UNION SELECT json_extract(document, '$.seed_thin_id') FROM slices"
    " UNION SELECT json_extract(step.value, '$.thin_id')"
    "  FROM requests, json_each(requests.scratch, '$.plan.steps') AS step WHERE scratch IS NOT NULL"
    " UNION SELECT json_extract(step.value, '$.origin_id')"
    "  FROM requests, json_each(requests.scratch, '$.plan.steps') AS step WHERE scratch IS NOT NULL"
    " ORDER BY id";

#define THIN_IDS_STEP 1024

int store_thin_ids(struct store *store, uint32_t **thin_ids, size_t *count, struct err *err)
{
    CLEANUP_QUERY sqlite3_stmt *query = store_query(store, err, all_thin_ids, "");
    CLEANUP_FREE uint32_t *ids = NULL;
    size_t found = 0;
    int more = query ? 1 : -1;

    while (more > 0 && (more = store_step(store, query, err)) > 0) {
        if (found % THIN_IDS_STEP == 0)
            ids = xrealloc(ids, (found + THIN_IDS_STEP) * sizeof(*ids));
        ids[found++] = (uint32_t)sqlite3_column_int64(query, 0);
    }
    if (more < 0)
        return -1;
    *count = found;
    *thin_ids = ids;
    ids = NULL;
    return 0;
}
