/* Images. */
#include "model/image.h"
#include "base/err.h"
#include "base/text.h"
#include "store/internal.h"
#include "store/store.h"

#include <stdlib.h>

#define IMAGE_COLUMNS                                                                              \
    "id, kind, compression, url, sha256, transfer_bytes, size_bytes, mapped_bytes, thin_id, "      \
    "ready,"                                                                                       \
    " used_ms"

int store_image_put(struct store *store, const struct image *image, struct err *err)
{
    return store_run(store, err, NULL,
                     "INSERT INTO images (" IMAGE_COLUMNS ")"
                     " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                     " ON CONFLICT (id) DO UPDATE SET kind = excluded.kind,"
                     " compression = excluded.compression, url = excluded.url,"
                     " sha256 = excluded.sha256, transfer_bytes = excluded.transfer_bytes,"
                     " size_bytes = excluded.size_bytes, mapped_bytes = excluded.mapped_bytes,"
                     " thin_id = excluded.thin_id, ready = excluded.ready,"
                     " used_ms = excluded.used_ms",
                     "tiittiiiiii", image->id, (int64_t)image->kind, (int64_t)image->compression,
                     image->url, image->sha256, (int64_t)image->transfer_bytes,
                     (int64_t)image->size_bytes, (int64_t)image->mapped_bytes,
                     (int64_t)image->thin_id, (int64_t)image->ready, image->used_ms);
}

static int image_from_row(sqlite3_stmt *query, struct image *image, struct err *err)
{
    int kind = sqlite3_column_int(query, 1);
    int compression = sqlite3_column_int(query, 2);

    if (kind < 0 || kind > IMAGE_RAMDISK || compression < 0 || compression > COMPRESSION_ZSTD)
        return err_set(err, ERR_STORAGE_ERROR, "the store's image %s has an unknown kind",
                       quoted(column_text(query, 0)).text);
    *image = (struct image){.kind = (enum image_kind)kind,
                            .compression = (enum compression)compression,
                            .transfer_bytes = (uint64_t)sqlite3_column_int64(query, 5),
                            .size_bytes = (uint64_t)sqlite3_column_int64(query, 6),
                            .mapped_bytes = (uint64_t)sqlite3_column_int64(query, 7),
                            .thin_id = (uint32_t)sqlite3_column_int64(query, 8),
                            .ready = sqlite3_column_int(query, 9) != 0,
                            .used_ms = sqlite3_column_int64(query, 10)};
    return column_copy(query, 0, image->id, sizeof(image->id), err) ||
                   column_copy(query, 3, image->url, sizeof(image->url), err) ||
                   column_copy(query, 4, image->sha256, sizeof(image->sha256), err)
               ? -1
               : 0;
}

int store_image_find(struct store *store, const char *id, struct image *image, struct err *err)
{
    CLEANUP_QUERY sqlite3_stmt *query =
        store_query(store, err, "SELECT " IMAGE_COLUMNS " FROM images WHERE id = ?", "t", id);
    int found = query ? store_step(store, query, err) : -1;

    if (found == 1 && image_from_row(query, image, err) < 0)
        return -1;
    return found;
}

int store_image_delete(struct store *store, const char *id, struct err *err)
{
    return store_run(store, err, NULL, "DELETE FROM images WHERE id = ?", "t", id);
}

int store_images(struct store *store, struct image **images, size_t *count, struct err *err)
{
    CLEANUP_QUERY sqlite3_stmt *query =
        store_query(store, err, "SELECT " IMAGE_COLUMNS " FROM images ORDER BY sequence", "");
    struct image *array = NULL;
    size_t used = 0;
    int result = query ? 1 : -1;

    while (result > 0 && (result = store_step(store, query, err)) > 0) {
        array = array_grow(array, used, sizeof(*array));
        result = image_from_row(query, &array[used++], err) < 0 ? -1 : 1;
    }
    if (result < 0) {
        free(array);
        return -1;
    }
    *images = array;
    *count = used;
    return 0;
}
