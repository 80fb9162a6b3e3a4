#include "operation/thin_id.h"

#include "backend/backend.h"
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "operation/task.h"
#include "store/must.h"
#include "store/store.h"

#include <stdbool.h>
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

static bool has(const uint32_t *ids, size_t count, uint32_t id)
{
    return count > 0 && bsearch(&id, ids, count, sizeof(*ids), by_number);
}

/* A new pass begins, or this agent has not asked yet. */
static int ask_pool(struct tasks *tasks, struct err *err)
{
    struct storage *storage = &tasks->config.backend->storage;

    free(tasks->pool_ids);
    tasks->pool_ids = NULL;
    tasks->pool_id_count = 0;
    tasks->pool_ids_known = false;
    if (storage->list &&
        storage->list(storage->state, &tasks->pool_ids, &tasks->pool_id_count, err) < 0)
        return err_context(err, "which volumes the pool has is not known, and none is made");
    tasks->pool_ids_known = true;
    return 0;
}

/* The first number from `first` on that nobody has; THIN_ID_MAX + 1 when there is none. */
static uint32_t first_free(struct tasks *tasks, uint32_t first)
{
    CLEANUP_FREE uint32_t *known = NULL;
    size_t count;
    struct err err;

    must(store_thin_ids(tasks->config.store, &known, &count, &err), &err);
    while (first <= THIN_ID_MAX &&
           (has(known, count, first) || has(tasks->pool_ids, tasks->pool_id_count, first)))
        first++;
    return first;
}

/* All numbers have been given out once. */
static int used_again(struct tasks *tasks, uint32_t last, uint32_t *thin_id, struct err *err)
{
    if (!tasks->pool_ids_known && ask_pool(tasks, err) < 0)
        return -1;
    *thin_id = first_free(tasks, last + 1);
    if (*thin_id <= THIN_ID_MAX)
        return 0;
    if (ask_pool(tasks, err) < 0)
        return -1;
    *thin_id = first_free(tasks, 1);
    if (*thin_id > THIN_ID_MAX)
        return err_set(err, ERR_STORAGE_ERROR, "all %u thin volume numbers are in use",
                       THIN_ID_MAX);
    log_notice("thin volume numbers are used again, from %u on", *thin_id);
    return 0;
}

int task_next_thin_id(struct task *task, uint32_t *thin_id, struct err *err)
{
    struct tasks *tasks = task->tasks;
    CLEANUP_FREE uint32_t *unknown = NULL;
    size_t count;
    uint32_t last;
    bool again;
    struct err store_error;

    if (tasks_learn_thin_ids(tasks, &unknown, &count, err) < 0)
        return -1;
    must(store_thin_id_last(tasks->config.store, &last, &again, &store_error), &store_error);
    again = again || last == THIN_ID_MAX;
    *thin_id = last + 1;
    if (again && used_again(tasks, last, thin_id, err) < 0)
        return -1;
    must(store_thin_id_give(tasks->config.store, *thin_id, again, &store_error), &store_error);
    return 0;
}
