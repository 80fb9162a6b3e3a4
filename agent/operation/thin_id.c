#include "operation/thin_id.h"

#include "backend/backend.h"
#include "base/err.h"
#include "base/memory.h"
#include "operation/task.h"
#include "store/must.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

static int by_number(const void *left, const void *right)
{
    const uint32_t *one = left, *other = right;

    return *one < *other ? -1 : *one > *other;
}

/* Keeps of the pool's volumes those that the store does not know. */
static void drop_known(struct store *store, uint32_t *ids, size_t *count)
{
    CLEANUP_FREE uint32_t *known = NULL;
    size_t known_count, kept = 0;
    struct err err;

    must(store_thin_ids(store, &known, &known_count, &err), &err);
    for (size_t i = 0; i < *count; i++)
        if (!known_count || !bsearch(&ids[i], known, known_count, sizeof(*known), by_number))
            ids[kept++] = ids[i];
    *count = kept;
}

int tasks_learn_thin_ids(struct tasks *tasks, uint32_t **unknown, size_t *count, struct err *err)
{
    struct storage *storage = &tasks->config.backend->storage;
    struct err store_error;

    *unknown = NULL;
    *count = 0;
    if (tasks->thin_ids_known || !storage->list)
        return 0;
    if (storage->list(storage->state, unknown, count, err) < 0)
        return err_context(err, "which volumes the pool has is not known, and none is made");
    /* In order: the last is the highest. */
    if (*count > 0)
        must(store_thin_id_floor(tasks->config.store, (*unknown)[*count - 1], &store_error),
             &store_error);
    drop_known(tasks->config.store, *unknown, count);
    tasks->thin_ids_known = true;
    return 0;
}

int task_next_thin_id(struct task *task, uint32_t *thin_id, struct err *err)
{
    CLEANUP_FREE uint32_t *unknown = NULL;
    size_t count;

    if (tasks_learn_thin_ids(task->tasks, &unknown, &count, err) < 0)
        return -1;
    return store_next_thin_id(task->tasks->config.store, thin_id, err);
}
