/* store: how long ended requests are remembered. */
#include "base/err.h"
#include "base/ident.h"
#include "base/json.h"
#include "store/outbox.h"
#include "store/store.h"
#include "unit.h"

#include <stdio.h>

/* A request that has come to `phase`, and an event then. */
static void end_request(struct store *store, unsigned number, enum request_phase phase)
{
    CLEANUP_JSON json_t *event = json_pack("{s:s, s:s}", "type", "request.done", "time", "");
    struct request_record record = {.phase = phase};
    struct err err;

    snprintf(record.request.id, sizeof(record.request.id), "%08x-0000-4000-8000-000000000000",
             number);
    CHECK_NUMBER(1, store_request_add(store, &record.request, false, &err));
    CHECK_NUMBER(0, store_event_add(store, event, NULL, &err));
    CHECK_NUMBER(0, store_request_update(store, &record, &err));
}

/* From which number on the ended requests are remembered, without a gap, up to `count`. */
static unsigned remembered_from(struct store *store, unsigned count)
{
    unsigned first = count;

    for (unsigned i = 0; i < count; i++) {
        struct request_record record;
        struct err err;
        char id[UUID_TEXT_BYTES];
        snprintf(id, sizeof(id), "%08x-0000-4000-8000-000000000000", i);
        int found = store_request_find(store, id, &record, &err);
        if (found)
            request_record_free(&record);
        if (found && first == count)
            first = i;
        CHECK_NUMBER(i >= first, found);
    }
    return first;
}

/* The oldest go, but none that is open. */
TEST(store_requests_are_trimmed)
{
    struct store *store = NULL;
    struct err err;

    CHECK_NUMBER(0, store_open(":memory:", &store, &err));
    for (unsigned i = 0; i < 3; i++)
        end_request(store, i, i == 1 ? REQUEST_RUNNING : REQUEST_DONE);
    CHECK_NUMBER(0, store_events_acknowledge(store, 3, &err));
    CHECK_NUMBER(0, store_requests_trim(store, 1, 100, &err));
    CHECK_NUMBER(1, remembered_from(store, 3));
    store_close(store);
}

TEST(store_requests_are_remembered_until_their_end_is_acknowledged)
{
    struct store *store = NULL;
    struct err err;

    CHECK_NUMBER(0, store_open(":memory:", &store, &err));
    CHECK_NUMBER(0, store_begin(store, &err));
    for (unsigned i = 0; i < 10000; i++)
        end_request(store, i, REQUEST_DONE);
    CHECK_NUMBER(0, store_commit(store, &err));
    CHECK_NUMBER(0, store_requests_trim(store, 10, 20000, &err));
    CHECK_NUMBER(0, remembered_from(store, 10000));
    CHECK_NUMBER(0, store_events_acknowledge(store, 50, &err));
    CHECK_NUMBER(0, store_requests_trim(store, 10, 20000, &err));
    CHECK_NUMBER(50, remembered_from(store, 10000));
    /* Also when the events have been dropped, and once more after that. */
    CHECK_NUMBER(2751, store_events_bound(store, 8000, SIZE_MAX / 2, &err));
    CHECK_NUMBER(901, store_events_bound(store, 7000, SIZE_MAX / 2, &err));
    CHECK_NUMBER(0, store_requests_trim(store, 10, 20000, &err));
    CHECK_NUMBER(50, remembered_from(store, 10000));
    /* A store that is younger than the node gives the events other numbers. */
    CHECK_NUMBER(0, store_events_acknowledge(store, 50000, &err));
    CHECK_NUMBER(0, store_requests_trim(store, 10, 20000, &err));
    CHECK_NUMBER(50, remembered_from(store, 10000));
    CHECK_NUMBER(0, store_requests_trim(store, 10, 9000, &err));
    CHECK_NUMBER(1000, remembered_from(store, 10000));
    CHECK_NUMBER(0, store_events_acknowledge(store, 60000, &err));
    CHECK_NUMBER(0, store_requests_trim(store, 10, 20000, &err));
    CHECK_NUMBER(9990, remembered_from(store, 10000));
    store_close(store);
}
