/* store: a file that an earlier version wrote is brought to the present format. */
#include "base/err.h"
#include "base/memory.h"
#include "model/image.h"
#include "model/volume.h"
#include "store/store.h"
#include "unit.h"

#include <stdlib.h>

#define IMAGE "00000000-0000-4000-8000-000000000001"
#define REQUEST "00000000-0000-4000-8000-000000000002"

TEST(store_takes_over_the_first_format)
{
    CLEANUP_FREE char *path = xasprintf("%s/sliced.db", unit_folder());
    CLEANUP_FREE char *command =
        xasprintf("python3 -c \"import sqlite3; c = sqlite3.connect('%s');"
                  " c.executescript(open('%s/tests/unit/store_format_1.sql').read())\"",
                  path, ROOT);
    struct store *store = NULL;
    struct request_record record;
    struct image image;
    const struct volume volume = {.id = IMAGE, .size_gib = 2, .thin_id = 11};
    struct volume found;
    uint32_t thin_id;
    bool again;
    size_t count;
    struct err err;

    CHECK_NUMBER(0, system(command));
    /* The second time there is nothing left to do. */
    for (int i = 0; i < 2; i++) {
        if (!CHECK_NUMBER(0, store_open(path, &store, &err)))
            return;
        CHECK_NUMBER(1, store_image_find(store, IMAGE, &image, &err));
        CHECK(image.ready && image.thin_id == 3 && image.mapped_bytes == 65536);
        CHECK_NUMBER(i, image.used_ms);
        image.used_ms = 1;
        CHECK_NUMBER(0, store_image_put(store, &image, &err));
        CHECK_NUMBER(0, store_thin_id_last(store, &thin_id, &again, &err));
        CHECK(thin_id == 7 + (uint32_t)i && !again);
        CHECK_NUMBER(0, store_thin_id_give(store, thin_id + 1, false, &err));
        CHECK_NUMBER(0, store_events_count(store, &count, &err));
        CHECK_NUMBER(1, count);
        /* Of things that the first format did not know there is none yet, and can be. */
        CHECK_NUMBER(i, store_volume_find(store, IMAGE, &found, &err));
        CHECK_NUMBER(0, store_volume_put(store, &volume, &err));
        CHECK_NUMBER(1, store_request_find(store, REQUEST, &record, &err));
        CHECK(record.phase == REQUEST_DONE && record.end_seq == 12);
        request_record_free(&record);
        store_close(store);
    }
}
