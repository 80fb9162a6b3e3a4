/* Slices and their snapshots. */
#include "model/slice.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/document.h"
#include "model/nic.h"
#include "model/snapshot.h"
#include "store/internal.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

/* --- The cache -------------------------------------------------------------------------------- */

static void cached_free(struct slice *slice)
{
    slice_free(slice);
    free(slice);
}

void store_slices_forget(struct store *store)
{
    struct slice_cache *cache = &store->cache;

    for (size_t i = 0; i < cache->count; i++)
        cached_free(cache->slices[i]);
    free(cache->slices);
    *cache = (struct slice_cache){0};
}

/* The place of a slice; that after the last one for one that is not there. */
static size_t cache_find(const struct slice_cache *cache, const char *id)
{
    size_t place = 0;

    while (place < cache->count && strcmp(cache->slices[place]->id, id) != 0)
        place++;
    return place;
}

static void cache_add(struct slice_cache *cache, struct slice *slice)
{
    cache->slices = array_grow(cache->slices, cache->count, sizeof(struct slice *));
    cache->slices[cache->count++] = slice;
}

/* What was written, as it will be read. */
static void cache_put(struct store *store, const json_t *document)
{
    struct slice_cache *cache = &store->cache;
    struct slice *slice;
    size_t place;

    if (!cache->known)
        return;
    cache->changed = store->depth > 0;
    slice = xcalloc(1, sizeof(*slice));
    if (slice_from_store(document, slice, NULL) < 0) {
        free(slice);
        store_slices_forget(store);
        return;
    }
    place = cache_find(cache, slice->id);
    if (place == cache->count) {
        cache_add(cache, slice);
        return;
    }
    cached_free(cache->slices[place]);
    cache->slices[place] = slice;
}

static void cache_delete(struct store *store, const char *id)
{
    struct slice_cache *cache = &store->cache;
    size_t place = cache_find(cache, id);

    if (place == cache->count)
        return;
    cache->changed = store->depth > 0;
    cached_free(cache->slices[place]);
    cache->count--;
    memmove(&cache->slices[place], &cache->slices[place + 1],
            (cache->count - place) * sizeof(struct slice *));
}

/* --- Slices ----------------------------------------------------------------------------------- */

int store_slice_put(struct store *store, const struct slice *slice, struct err *err)
{
    CLEANUP_JSON json_t *document = slice_to_store(slice);
    CLEANUP_FREE char *text = json_text(document);

    if (store_run(store, err, NULL,
                  "INSERT INTO slices (id, document) VALUES (?, ?)"
                  " ON CONFLICT (id) DO UPDATE SET document = excluded.document",
                  "tt", slice->id, text) < 0)
        return -1;
    cache_put(store, document);
    return 0;
}

static int slice_from_row(sqlite3_stmt *query, struct slice *slice, struct err *err)
{
    CLEANUP_JSON json_t *document = NULL;

    if (column_json(query, 0, &document, err) < 0)
        return -1;
    if (slice_from_store(document, slice, err) < 0) {
        if (err)
            err->code = ERR_STORAGE_ERROR;
        return err_context(err, "the store");
    }
    return 0;
}

static int read_slice(struct store *store, const char *id, struct slice *slice, struct err *err)
{
    CLEANUP_QUERY sqlite3_stmt *query =
        store_query(store, err, "SELECT document FROM slices WHERE id = ?", "t", id);
    int found = query ? store_step(store, query, err) : -1;

    if (found == 1 && slice_from_row(query, slice, err) < 0)
        return -1;
    return found;
}

int store_slice_find(struct store *store, const char *id, struct slice *slice, struct err *err)
{
    const struct slice_cache *cache = &store->cache;
    size_t place;

    if (!cache->known)
        return read_slice(store, id, slice, err);
    if (store_check(store, err) < 0)
        return -1;
    place = cache_find(cache, id);
    if (place == cache->count)
        return 0;
    slice_copy(cache->slices[place], slice);
    return 1;
}

int store_slice_delete(struct store *store, const char *id, struct err *err)
{
    if (store_run(store, err, NULL, "DELETE FROM slices WHERE id = ?", "t", id) < 0)
        return -1;
    cache_delete(store, id);
    return 0;
}

static int read_slices(struct store *store, struct err *err)
{
    CLEANUP_QUERY sqlite3_stmt *query =
        store_query(store, err, "SELECT document FROM slices ORDER BY sequence", "");
    int result = query ? 1 : -1;

    while (result > 0 && (result = store_step(store, query, err)) > 0) {
        struct slice *slice = xcalloc(1, sizeof(*slice));

        if (slice_from_row(query, slice, err) < 0) {
            free(slice);
            return -1;
        }
        cache_add(&store->cache, slice);
    }
    return result;
}

int store_slices(struct store *store, const struct slice *const **slices, size_t *count,
                 struct err *err)
{
    if (store_check(store, err) < 0)
        return -1;
    if (!store->cache.known) {
        if (read_slices(store, err) < 0) {
            store_slices_forget(store);
            return -1;
        }
        store->cache.known = true;
        store->cache.changed = store->depth > 0;
    }
    *slices = (const struct slice *const *)store->cache.slices;
    *count = store->cache.count;
    return 0;
}

int store_slice_ids(struct store *store, char (**ids)[UUID_TEXT_BYTES], size_t *count,
                    struct err *err)
{
    const struct slice *const *slices;

    if (store_slices(store, &slices, count, err) < 0)
        return -1;
    *ids = xcalloc(*count, sizeof(**ids));
    for (size_t i = 0; i < *count; i++)
        copy_text((*ids)[i], sizeof((*ids)[i]), slices[i]->id);
    return 0;
}

/* --- Snapshots -------------------------------------------------------------------------------- */

#define SNAPSHOT_COLUMNS                                                                           \
    "id, slice, name, created_ms, thin_id, reserved_bytes, size_bytes,"                            \
    " memory_thin_id, memory_bytes, memory_crc, memory_vcpus, memory_max_vcpus,"                   \
    " memory_mib, memory_max_mib"

int store_snapshot_put(struct store *store, const struct snapshot *snapshot, struct err *err)
{
    const struct domain_size *size = &snapshot->memory.size;

    return store_run(
        store, err, NULL,
        "INSERT INTO snapshots (" SNAPSHOT_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
        " ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET slice = excluded.slice, name = excluded.name,"
        " created_ms = excluded.created_ms, thin_id = excluded.thin_id,"
        " reserved_bytes = excluded.reserved_bytes, size_bytes = excluded.size_bytes,"
        " memory_thin_id = excluded.memory_thin_id,"
        " memory_bytes = excluded.memory_bytes, memory_crc = excluded.memory_crc,"
        " memory_vcpus = excluded.memory_vcpus,"
        " memory_max_vcpus = excluded.memory_max_vcpus,"
        " memory_mib = excluded.memory_mib, memory_max_mib = excluded.memory_max_mib",
        "tttiiiiiiiiiii", snapshot->id, snapshot->slice, snapshot->name, snapshot->created_ms,
        (int64_t)snapshot->thin_id, (int64_t)snapshot->reserved_bytes,
        (int64_t)snapshot->size_bytes, (int64_t)snapshot->memory.thin_id,
        (int64_t)snapshot->memory.mark.bytes, (int64_t)snapshot->memory.mark.crc,
        (int64_t)size->vcpus, (int64_t)size->max_vcpus, (int64_t)size->memory_mib,
        (int64_t)size->max_memory_mib);
}

static int snapshot_from_row(sqlite3_stmt *query, struct snapshot *snapshot, struct err *err)
{
    *snapshot = (struct snapshot){.created_ms = sqlite3_column_int64(query, 3),
                                  .thin_id = (uint32_t)sqlite3_column_int64(query, 4),
                                  .reserved_bytes = (uint64_t)sqlite3_column_int64(query, 5),
                                  .size_bytes = (uint64_t)sqlite3_column_int64(query, 6)};
    snapshot->memory = (struct saved_memory){
        .thin_id = (uint32_t)sqlite3_column_int64(query, 7),
        .mark = {.bytes = (uint64_t)sqlite3_column_int64(query, 8),
                 .crc = (uint64_t)sqlite3_column_int64(query, 9)},
        .size = {.vcpus = (unsigned)sqlite3_column_int64(query, 10),
                 .max_vcpus = (unsigned)sqlite3_column_int64(query, 11),
                 .memory_mib = (uint64_t)sqlite3_column_int64(query, 12),
                 .max_memory_mib = (uint64_t)sqlite3_column_int64(query, 13)}};
    return column_copy(query, 0, snapshot->id, sizeof(snapshot->id), err) ||
                   column_copy(query, 1, snapshot->slice, sizeof(snapshot->slice), err) ||
                   column_copy(query, 2, snapshot->name, sizeof(snapshot->name), err)
               ? -1
               : 0;
}

int store_snapshot_find(struct store *store, const char *id, struct snapshot *snapshot,
                        struct err *err)
{
    CLEANUP_QUERY sqlite3_stmt *query =
        store_query(store, err, "SELECT " SNAPSHOT_COLUMNS " FROM snapshots WHERE id = ?", "t", id);
    int found = query ? store_step(store, query, err) : -1;

    if (found == 1 && snapshot_from_row(query, snapshot, err) < 0)
        return -1;
    return found;
}

int store_snapshot_delete(struct store *store, const char *id, struct err *err)
{
    return store_run(store, err, NULL, "DELETE FROM snapshots WHERE id = ?", "t", id);
}

int store_snapshots(struct store *store, const char *slice, struct snapshot **snapshots,
                    size_t *count, struct err *err)
{
    CLEANUP_QUERY sqlite3_stmt *query =
        store_query(store, err,
                    "SELECT " SNAPSHOT_COLUMNS " FROM snapshots WHERE ?1 IS NULL OR slice = ?1"
                    " ORDER BY created_ms, sequence",
                    "t", slice);
    struct snapshot *array = NULL;
    size_t used = 0;
    int result = query ? 1 : -1;

    while (result > 0 && (result = store_step(store, query, err)) > 0) {
        array = array_grow(array, used, sizeof(*array));
        result = snapshot_from_row(query, &array[used++], err) < 0 ? -1 : 1;
    }
    if (result < 0) {
        free(array);
        return -1;
    }
    *snapshots = array;
    *count = used;
    return 0;
}

int store_snapshots_reserved(struct store *store, uint64_t *bytes, struct err *err)
{
    CLEANUP_QUERY sqlite3_stmt *query =
        store_query(store, err, "SELECT coalesce(sum(reserved_bytes), 0) FROM snapshots", "");

    if (!query || store_step(store, query, err) < 0)
        return -1;
    *bytes = (uint64_t)sqlite3_column_int64(query, 0);
    return 0;
}
