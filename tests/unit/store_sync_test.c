/* store: what waits for the disk, and what need not. */
#include "json.h"
#include "store.h"
#include "unit.h"
#include "util.h"

#include <stdlib.h>

static unsigned syncs;

/* In the place of libc's, for SQLite: how often the store waited for the disk. */
int fdatasync(int fd)
{
    (void)fd;
    syncs++;
    return 0;
}

static void add_event(struct store *store)
{
    CLEANUP_JSON json_t *event = json_pack("{s:s}", "type", "node.problem");
    struct err err;

    CHECK_NUMBER(0, store_event_add(store, event, NULL, &err));
}

TEST(store_waits_for_the_disk_but_not_to_forget_events)
{
    CLEANUP_FREE char *path = xasprintf("%s/sliced.db", unit_folder());
    struct store *store;
    struct err err;

    if (!CHECK_NUMBER(0, store_open(path, &store, &err)))
        return;
    for (int i = 0; i < 3; i++) {
        syncs = 0;
        add_event(store);
        CHECK(syncs > 0);
        syncs = 0;
        CHECK_NUMBER(0, store_events_acknowledge(store, i + 1, &err));
        CHECK_NUMBER(0, syncs);
    }
    /* Within a transaction that is of more, and where numbers are skipped, it waits. */
    CHECK_NUMBER(0, store_begin(store, &err));
    add_event(store);
    CHECK_NUMBER(0, store_events_acknowledge(store, 4, &err));
    CHECK_NUMBER(0, store_commit(store, &err));
    CHECK(syncs > 0);
    syncs = 0;
    CHECK_NUMBER(0, store_events_acknowledge(store, 100, &err));
    CHECK(syncs > 0);
    store_close(store);
}
