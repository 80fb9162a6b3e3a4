/* volumes: their arguments, their plans, and what the store keeps of them. */
#include "base/err.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/nic.h"
#include "model/request.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "model/volume.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "plan/slice.h"
#include "plan/snapshot.h"
#include "plan/steps.h"
#include "plan/volume.h"
#include "store/outbox.h"
#include "store/store.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define ONE "00000000-0000-4000-8000-000000000001"
#define TWO "00000000-0000-4000-8000-000000000002"

static int parse(enum operation operation, const char *text, struct volume_args *args,
                 struct err *err)
{
    CLEANUP_JSON json_t *object = NULL;

    if (!CHECK_NUMBER(0, json_object_parse(text, strlen(text), &object, err)))
        return -1;
    return volume_parse(operation, object, args, err);
}

TEST(volume_arguments)
{
    static const char create[] = "{\"volume\":\"" ONE "\",\"name\":\"data\",\"size_gib\":7}";
    static const char bare[] = "{\"volume\":\"" ONE "\"}";
    static const char detach[] = "{\"volume\":\"" ONE "\",\"force\":true}";
    struct volume_args args;
    struct err err;

    CHECK_NUMBER(0, parse(OP_VOLUME_CREATE, create, &args, &err));
    CHECK_TEXT(ONE, args.volume);
    CHECK_TEXT("data", args.name);
    CHECK_NUMBER(7, args.size_gib);
    CHECK_NUMBER(0, parse(OP_VOLUME_ATTACH, bare, &args, &err));
    CHECK_NUMBER(0, parse(OP_VOLUME_DETACH, detach, &args, &err));
    CHECK(args.force);
    CHECK_NUMBER(0, parse(OP_VOLUME_DETACH, bare, &args, &err));
    CHECK(!args.force);
    CHECK_NUMBER(-1, parse(OP_VOLUME_RESIZE, bare, &args, &err));
    CHECK_TEXT("size_gib is missing", err.message);
    CHECK_NUMBER(-1,
                 parse(OP_VOLUME_CREATE,
                       "{\"volume\":\"" ONE "\",\"name\":\"a\",\"size_gib\":65537}", &args, &err));
    CHECK_TEXT("size_gib is 65537, but must be 1 to 65536", err.message);
    CHECK_NUMBER(-1, parse(OP_VOLUME_DELETE, detach, &args, &err));
    CHECK_NUMBER(ERR_UNKNOWN_FIELD, err.code);
}

TEST(volume_requests_and_their_slices)
{
    static const struct {
        const char *operation;
        bool without, with; /* whether it may come so */
    } cases[] = {{"volume.create", true, false},
                 {"volume.attach", false, true},
                 {"volume.detach", true, true},
                 {"volume.resize", true, false},
                 {"volume.delete", true, false}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        for (int with = 0; with < 2; with++) {
            CLEANUP_JSON json_t *object =
                json_pack("{s:s, s:s, s:o}", "id", ONE, "op", cases[i].operation, "slice",
                          with ? json_string(TWO) : json_null());
            bool good = with ? cases[i].with : cases[i].without;
            struct request request;
            struct err err;

            if (CHECK_NUMBER(good ? 0 : -1, request_parse(object, &request, &err)) && good)
                request_free(&request);
        }
    }
}

TEST(volume_devices)
{
    char device[DEVICE_NAME_BYTES];

    volume_device(device, 0);
    CHECK_TEXT("xvdc", device);
    volume_device(device, SLICE_VOLUMES_MAX - 1);
    CHECK_TEXT("xvdr", device);
}

/* --- Plans ----------------------------------------------------------------------------------------- */

static void check_plan(plan_maker *maker, const struct plan_facts *facts, const char *wanted)
{
    char *text = xstrdup("");
    struct plan plan;

    plan_make(maker, facts, &plan);
    for (size_t i = 0; i <= plan.count; i++) {
        char *longer = xasprintf("%s%s%s ", text, i == plan.forward_from ? "| " : "",
                                 i < plan.count ? step_name(plan.steps[i].kind) : "");
        free(text);
        text = longer;
    }
    text[strlen(text) - 1] = '\0';
    CHECK_TEXT(wanted, text);
    free(text);
    plan_free(&plan);
}

static const struct volume pair[] = {
    {.id = ONE, .size_gib = 2, .thin_id = 11, .slice = ONE},
    {.id = TWO, .size_gib = 3, .thin_id = 12, .slice = ONE, .slot = 4}};

TEST(plan_of_volumes)
{
    struct plan_facts facts = {.volumes = pair, .volume_count = 1, .size_gib = 9};
    struct plan plan;

    check_plan(plan_volume_create, &facts, "volume.create | ");
    check_plan(plan_volume_attach, &facts, "| ");
    check_plan(plan_volume_detach, &facts, "volume.deactivate | ");
    check_plan(plan_volume_resize, &facts, "| ");
    check_plan(plan_volume_delete, &facts, "| volume.deactivate volume.remove ");
    facts.domain = true;
    check_plan(plan_volume_attach, &facts, "disk.plug | ");
    check_plan(plan_volume_detach, &facts, "disk.unplug | ");
    check_plan(plan_volume_resize, &facts, "| volume.activate disk.grow ");
    facts.volumes = &pair[1];
    plan_make(plan_volume_detach, &facts, &plan);
    CHECK(plan.steps[0].plug.slot == 4 && plan.steps[0].plug.volume.thin_id == 12 &&
          !plan.steps[0].plug.force);
    CHECK_TEXT("data-" TWO, plan.steps[0].plug.volume.name);
    CHECK_NUMBER(3 * GIB, plan.steps[0].plug.volume.bytes);
    plan_free(&plan);
    plan_make(plan_volume_resize, &facts, &plan);
    CHECK(plan.steps[0].volume.bytes == 9 * GIB && plan.steps[1].growth.volume.bytes == 9 * GIB);
    plan_free(&plan);
    /* One that has ended is not asked, and sees what is new when it is started again. */
    facts.shut_down = true;
    check_plan(plan_volume_attach, &facts, "| ");
    check_plan(plan_volume_resize, &facts, "| ");
    plan_make(plan_volume_detach, &facts, &plan);
    CHECK(plan.steps[0].kind == STEP_DISK_UNPLUG && plan.steps[0].plug.force);
    plan_free(&plan);
}

TEST(plan_presents_volumes_to_their_slice)
{
    struct slice slice = {
        .id = ONE, .desired_running = true, .disk_gib = 2, .disk_thin_id = 4, .seed_thin_id = 5};
    struct snapshot snapshot = {.id = ONE, .slice = ONE, .thin_id = 8};
    struct plan_facts facts = {.slice = &slice,
                               .snapshots = &snapshot,
                               .snapshot_count = 1,
                               .volumes = pair,
                               .volume_count = 2,
                               .new_disk_id = 10};

    check_plan(plan_start, &facts,
               "disk.activate seed.write volume.activate volume.activate domain.start | ");
    check_plan(plan_stop, &facts,
               "| domain.destroy volume.deactivate volume.deactivate volume.deactivate "
               "volume.deactivate ");
    check_plan(plan_terminate, &facts,
               "| domain.destroy volume.deactivate volume.deactivate volume.deactivate "
               "volume.deactivate volume.remove volume.remove volume.remove console.remove ");
    facts.domain = true;
    check_plan(plan_reboot, &facts,
               "domain.shutdown domain.wait | domain.destroy disk.activate seed.write "
               "volume.activate volume.activate domain.start ");
    check_plan(plan_revert, &facts,
               "disk.clone | domain.destroy volume.deactivate disk.swap volume.remove "
               "disk.activate seed.write volume.activate volume.activate domain.start ");
    check_plan(plan_snapshot, &facts, "snapshot.take | ");
}

/* --- The store ------------------------------------------------------------------------------------- */

static void put_slice(struct store *store, const char *id)
{
    struct slice slice = {.vcpus = 1, .memory_mib = 64, .disk_gib = 1, .domain_id = -1};
    struct err err;

    copy_text(slice.id, sizeof(slice.id), id);
    copy_text(slice.name, sizeof(slice.name), "name");
    CHECK_NUMBER(0, store_slice_put(store, &slice, &err));
}

TEST(store_volumes)
{
    struct store *store = NULL;
    struct volume found, *all;
    size_t count;
    struct err err;

    if (!CHECK_NUMBER(0, store_open(":memory:", &store, &err)))
        return;
    put_slice(store, ONE);
    CHECK_NUMBER(0, store_volume_find(store, ONE, &found, &err));
    CHECK_NUMBER(0, store_volume_put(store, &pair[1], &err));
    CHECK_NUMBER(0, store_volume_put(store, &pair[0], &err));
    CHECK_NUMBER(1, store_volume_find(store, TWO, &found, &err));
    CHECK(found.slot == 4 && found.size_gib == 3 && found.thin_id == 12);
    CHECK_TEXT(ONE, found.slice);
    /* Those of a slice by slot, all by age. */
    CHECK_NUMBER(0, store_volumes(store, ONE, &all, &count, &err));
    CHECK(count == 2 && all[0].slot == 0 && all[1].slot == 4);
    free(all);
    CHECK_NUMBER(0, store_volumes(store, NULL, &all, &count, &err));
    CHECK(count == 2 && all[0].slot == 4);
    free(all);
    CHECK_NUMBER(0, store_volumes(store, "", &all, &count, &err));
    CHECK_NUMBER(0, count);
    free(all);
    /* Two in one place would be two disks of one name. */
    found = pair[0];
    found.slot = 4;
    CHECK_NUMBER(-1, store_volume_put(store, &found, &err));
    /* A slice that goes leaves its volumes. */
    CHECK_NUMBER(0, store_slice_delete(store, ONE, &err));
    CHECK_NUMBER(1, store_volume_find(store, TWO, &found, &err));
    CHECK_TEXT("", found.slice);
    CHECK_NUMBER(0, store_volume_delete(store, TWO, &err));
    CHECK_NUMBER(0, store_volume_find(store, TWO, &found, &err));
    store_close(store);
}
