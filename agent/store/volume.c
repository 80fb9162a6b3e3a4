/* Volumes. */
#include "model/volume.h"
#include "base/err.h"
#include "base/text.h"
#include "store/internal.h"
#include "store/store.h"

#include <stdlib.h>

#define VOLUME_COLUMNS "id, name, state, size_gib, thin_id, slice, slot"

int store_volume_put(struct store *store, const struct volume *volume, struct err *err)
{
    return store_run(store, err, NULL,
                     "INSERT INTO volumes (" VOLUME_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?)"
                     " ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
                     " state = excluded.state, size_gib = excluded.size_gib,"
                     " thin_id = excluded.thin_id, slice = excluded.slice, slot = excluded.slot",
                     "ttiiiti", volume->id, volume->name, (int64_t)volume->state,
                     (int64_t)volume->size_gib, (int64_t)volume->thin_id,
                     volume->slice[0] ? volume->slice : NULL, (int64_t)volume->slot);
}

static int volume_from_row(sqlite3_stmt *query, struct volume *volume, struct err *err)
{
    int state = sqlite3_column_int(query, 2);

    if (state < 0 || state > VOLUME_DELETING)
        return err_set(err, ERR_STORAGE_ERROR, "the store's volume %s has an unknown state",
                       quoted(column_text(query, 0)).text);
    *volume = (struct volume){.state = (enum volume_state)state,
                              .size_gib = (uint64_t)sqlite3_column_int64(query, 3),
                              .thin_id = (uint32_t)sqlite3_column_int64(query, 4),
                              .slot = (unsigned)sqlite3_column_int(query, 6)};
    return column_copy(query, 0, volume->id, sizeof(volume->id), err) ||
                   column_copy(query, 1, volume->name, sizeof(volume->name), err) ||
                   column_copy(query, 5, volume->slice, sizeof(volume->slice), err)
               ? -1
               : 0;
}

int store_volume_find(struct store *store, const char *id, struct volume *volume, struct err *err)
{
    CLEANUP_QUERY sqlite3_stmt *query =
        store_query(store, err, "SELECT " VOLUME_COLUMNS " FROM volumes WHERE id = ?", "t", id);
    int found = query ? store_step(store, query, err) : -1;

    if (found == 1 && volume_from_row(query, volume, err) < 0)
        return -1;
    return found;
}

int store_volume_delete(struct store *store, const char *id, struct err *err)
{
    return store_run(store, err, NULL, "DELETE FROM volumes WHERE id = ?", "t", id);
}

int store_volumes(struct store *store, const char *slice, struct volume **volumes, size_t *count,
                  struct err *err)
{
    CLEANUP_QUERY sqlite3_stmt *query =
        store_query(store, err,
                    "SELECT " VOLUME_COLUMNS " FROM volumes WHERE ?1 IS NULL OR slice = ?1"
                    " ORDER BY CASE WHEN ?1 IS NULL THEN sequence ELSE slot END",
                    "t", slice);
    struct volume *array = NULL;
    size_t used = 0;
    int result = query ? 1 : -1;

    while (result > 0 && (result = store_step(store, query, err)) > 0) {
        array = array_grow(array, used, sizeof(*array));
        result = volume_from_row(query, &array[used++], err) < 0 ? -1 : 1;
    }
    if (result < 0) {
        free(array);
        return -1;
    }
    *volumes = array;
    *count = used;
    return 0;
}
