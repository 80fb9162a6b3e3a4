/* store: the slices that it keeps in memory are at every moment those of the file. */
#include "base/err.h"
#include "base/ident.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/document.h"
#include "model/nic.h"
#include "model/slice.h"
#include "store/outbox.h"
#include "store/store.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDS 6
#define STEPS 4000

static struct store *open_store(const char *path)
{
    struct store *store = NULL;
    struct err err;

    if (!CHECK_NUMBER(0, store_open(path, &store, &err))) {
        puts(err.message);
        exit(1);
    }
    return store;
}

static const char *id_of(unsigned number)
{
    static char id[UUID_TEXT_BYTES];

    snprintf(id, sizeof(id), "00000000-0000-4000-8000-%012u", number % 100);
    return id;
}

static void put(struct store *store, unsigned number, uint64_t memory_mib)
{
    struct slice slice = {.vcpus = 1, .memory_mib = memory_mib, .disk_gib = 1, .domain_id = -1};
    struct nic nic = {.bridge = "xenbr0", .mac = "00:16:3e:00:00:01"};
    char key[] = "ssh-ed25519 AAAA", data[] = "#cloud-config\n";
    struct err err;

    copy_text(slice.id, sizeof(slice.id), id_of(number));
    copy_text(slice.name, sizeof(slice.name), "name");
    if (number % 2) {
        slice.nics = &nic;
        slice.nic_count = 1;
        slice.ssh_keys[slice.ssh_key_count++] = key;
        slice.user_data = data;
    }
    CHECK_NUMBER(0, store_slice_put(store, &slice, &err));
}

/* All of them as one text, by the list and by the ids. */
static char *all_slices(struct store *store)
{
    CLEANUP_FREE char(*ids)[UUID_TEXT_BYTES] = NULL;
    CLEANUP_JSON json_t *listed = json_array(), *found = json_array();
    const struct slice *const *slices;
    size_t count, id_count;
    struct slice slice;
    struct err err;

    CHECK_NUMBER(0, store_slices(store, &slices, &count, &err));
    CHECK_NUMBER(0, store_slice_ids(store, &ids, &id_count, &err));
    CHECK_NUMBER((long long)count, (long long)id_count);
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(listed, slice_to_store(slices[i]));
        if (CHECK_NUMBER(1, store_slice_find(store, ids[i], &slice, &err))) {
            json_array_append_new(found, slice_to_store(&slice));
            slice_free(&slice);
        }
    }
    CHECK(json_equal(listed, found));
    return json_text(listed);
}

static void check_as_on_disk(struct store *store, const char *path)
{
    struct store *fresh = open_store(path);
    CLEANUP_FREE char *kept = all_slices(store), *written = all_slices(fresh);

    CHECK_TEXT(written, kept);
    store_close(fresh);
}

TEST(store_slices_in_memory_are_those_of_the_file)
{
    CLEANUP_FREE char *path = xasprintf("%s/sliced.db", unit_folder());
    struct store *store = open_store(path);
    unsigned depth = 0, checked = 0;
    struct err err;

    srandom(4);
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned number = (unsigned)random() % IDS, action = (unsigned)random() % 16;

        if (action < 5) {
            put(store, number, 64 + step);
        } else if (action < 8) {
            CHECK_NUMBER(0, store_slice_delete(store, id_of(number), &err));
        } else if (action < 10 && depth < 2) {
            CHECK_NUMBER(0, store_begin(store, &err));
            depth++;
        } else if (action < 12 && depth > 0) {
            CHECK_NUMBER(0, store_commit(store, &err));
            depth--;
        } else if (action < 13 && depth > 0) {
            store_rollback(store);
            depth--;
        } else if (action < 15) {
            free(all_slices(store)); /* read within a transaction, too */
        } else if (depth == 0) {
            check_as_on_disk(store, path);
            checked++;
        }
    }
    CHECK(checked > 50);
    store_close(store);
}

static void check_memory(struct store *store, uint64_t memory_mib)
{
    struct slice slice;
    struct err err;

    CHECK_NUMBER(1, store_slice_find(store, id_of(1), &slice, &err));
    CHECK_NUMBER((long long)memory_mib, (long long)slice.memory_mib);
    slice_free(&slice);
}

TEST(store_slices_go_back_with_each_transaction)
{
    struct store *store = open_store(":memory:");
    struct err err;

    put(store, 1, 64);
    free(all_slices(store));
    CHECK_NUMBER(0, store_begin(store, &err));
    put(store, 1, 65);
    CHECK_NUMBER(0, store_begin(store, &err));
    put(store, 1, 66);
    check_memory(store, 66);
    store_rollback(store);
    check_memory(store, 65);
    store_rollback(store);
    check_memory(store, 64);
    store_close(store);
}

TEST(slice_copy_shares_nothing)
{
    struct store *store = open_store(":memory:");
    struct slice slice, copy;
    struct err err;

    put(store, 1, 64);
    CHECK_NUMBER(1, store_slice_find(store, id_of(1), &slice, &err));
    slice_copy(&slice, &copy);
    CHECK(copy.nics != slice.nics && copy.ssh_keys[0] != slice.ssh_keys[0] &&
          copy.user_data != slice.user_data);
    CLEANUP_JSON json_t *one = slice_to_store(&slice), *two = slice_to_store(&copy);
    CHECK(json_equal(one, two));
    slice_free(&slice);
    slice_free(&copy);
    store_close(store);
}
