/* plan: from a request to steps. */
#include "base/err.h"
#include "base/json.h"
#include "base/memory.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "plan/document.h"
#include "plan/facts.h"
#include "plan/image.h"
#include "plan/node.h"
#include "plan/plan.h"
#include "plan/slice.h"
#include "plan/snapshot.h"
#include "plan/steps.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID "00000000-0000-4000-8000-000000000001"

/* The plan as text: the steps' names, `|` where nothing is undone any more. */
static char *plan_text(plan_maker *maker, const struct plan_facts *facts)
{
    char *text = xstrdup("");
    struct plan plan;

    plan_make(maker, facts, &plan);
    for (size_t i = 0; i <= plan.count; i++) {
        const char *mark = i == plan.forward_from ? "| " : "";
        char *longer = i < plan.count
                           ? xasprintf("%s%s%s ", text, mark, step_name(plan.steps[i].kind))
                           : xasprintf("%s%s", text, mark);
        free(text);
        text = longer;
    }
    plan_free(&plan);
    return text;
}

static void check_plan(plan_maker *maker, const struct plan_facts *facts, const char *wanted)
{
    CLEANUP_FREE char *text = plan_text(maker, facts);

    CHECK_TEXT(wanted, text);
}

static const struct image disk_image = {.id = ID, .kind = IMAGE_DISK, .thin_id = 3};
static const struct image kernel_image = {.id = ID, .kind = IMAGE_KERNEL};
static const struct snapshot snapshots[] = {{.id = ID, .slice = ID, .thin_id = 8},
                                            {.id = ID, .slice = ID, .thin_id = 9}};

static struct slice running_slice(void)
{
    return (struct slice){
        .id = ID, .desired_running = true, .disk_gib = 2, .disk_thin_id = 4, .seed_thin_id = 5};
}

TEST(plan_of_provision)
{
    struct slice slice = running_slice();
    struct plan_facts facts = {.slice = &slice, .image = &disk_image};
    struct plan plan;

    check_plan(plan_provision, &facts,
               "image.import disk.clone disk.activate seed.write domain.start | ");
    facts.image_ready = true;
    check_plan(plan_provision, &facts, "disk.clone disk.activate seed.write domain.start | ");
    slice.desired_running = false;
    check_plan(plan_provision, &facts, "disk.clone | ");
    facts = (struct plan_facts){.slice = &slice, .snapshots = snapshots, .snapshot_count = 1};
    check_plan(plan_provision, &facts, "disk.clone | ");
    plan_make(plan_provision, &facts, &plan);
    CHECK(plan.steps[0].clone.thin_id == 4 && plan.steps[0].clone.origin_id == 8);
    plan_free(&plan);
}

TEST(plan_of_a_slices_life)
{
    struct slice slice = running_slice();
    struct plan_facts facts = {.slice = &slice, .domain = true, .stop.timeout_seconds = 7};

    check_plan(plan_stop, &facts,
               "domain.shutdown domain.wait | domain.destroy volume.deactivate volume.deactivate ");
    check_plan(
        plan_reboot, &facts,
        "domain.shutdown domain.wait | domain.destroy disk.activate seed.write domain.start ");
    check_plan(plan_start, &facts, "domain.destroy disk.activate seed.write domain.start | ");
    facts.stop.force = true;
    check_plan(plan_stop, &facts, "| domain.destroy volume.deactivate volume.deactivate ");
    facts = (struct plan_facts){.slice = &slice};
    check_plan(plan_stop, &facts, "| domain.destroy volume.deactivate volume.deactivate ");
    check_plan(plan_start, &facts, "disk.activate seed.write domain.start | ");
    facts = (struct plan_facts){.slice = &slice, .domain = true, .paused = true};
    check_plan(plan_pause, &facts, "domain.pause | ");
    check_plan(plan_unpause, &facts, "domain.unpause | ");
    check_plan(plan_start, &facts, "domain.unpause | ");
    check_plan(plan_stop, &facts,
               "domain.unpause domain.shutdown domain.wait | domain.destroy volume.deactivate "
               "volume.deactivate ");
    check_plan(plan_node_reboot, &facts, "| node.reboot ");
}

TEST(plan_of_terminate_gives_everything_back)
{
    struct slice slice = running_slice();
    struct plan_facts facts = {
        .slice = &slice, .domain = true, .snapshots = snapshots, .snapshot_count = 2};
    bool removed[16] = {false};
    struct plan plan;

    plan_make(plan_terminate, &facts, &plan);
    CHECK_NUMBER(0, plan.forward_from);
    for (size_t i = 0; i < plan.count; i++)
        if (plan.steps[i].kind == STEP_VOLUME_REMOVE)
            removed[plan.steps[i].volume.thin_id] = true;
    CHECK(removed[4] && removed[5] && removed[8] && removed[9]);
    plan_free(&plan);
}

TEST(plan_of_snapshots)
{
    struct slice slice = running_slice();
    struct plan_facts facts = {.slice = &slice, .snapshots = snapshots, .new_disk_id = 10};
    struct plan plan;

    check_plan(plan_snapshot, &facts, "snapshot.measure snapshot.take | ");
    check_plan(plan_export, &facts, "snapshot.export | ");
    check_plan(plan_snapshot_delete, &facts, "| volume.remove ");
    check_plan(plan_revert, &facts, "disk.clone | volume.deactivate disk.swap volume.remove ");
    facts.domain = true;
    check_plan(plan_snapshot, &facts, "snapshot.take | ");
    check_plan(
        plan_revert, &facts,
        "disk.clone | domain.destroy volume.deactivate disk.swap volume.remove disk.activate "
        "seed.write domain.start ");
    /* The new disk comes from the snapshot, the old one goes, the new one is started from. */
    plan_make(plan_revert, &facts, &plan);
    CHECK(plan.steps[0].clone.thin_id == 10 && plan.steps[0].clone.origin_id == 8);
    CHECK_NUMBER(4, plan.steps[4].volume.thin_id);
    CHECK_NUMBER(10, plan.steps[5].disk.volume.thin_id);
    CHECK_NUMBER(2 * GIB, plan.steps[5].disk.volume.bytes);
    plan_free(&plan);
}

TEST(plan_of_resize)
{
    struct slice slice = running_slice();
    struct plan_facts facts = {
        .slice = &slice, .domain = true, .resize = {.vcpus = 2, .memory_mib = 300, .disk_gib = 2}};
    struct plan plan, back;
    struct err err;

    slice.domain = (struct domain_size){.vcpus = 1, .memory_mib = 200};
    check_plan(plan_resize, &facts, "domain.vcpus domain.memory | disk.activate disk.grow ");
    plan_make(plan_resize, &facts, &plan);
    CLEANUP_JSON json_t *object = plan_to_json(&plan);
    if (CHECK_NUMBER(0, plan_from_json(object, &back, &err))) {
        CHECK(back.steps[0].change.from == 1 && back.steps[0].change.to == 2);
        CHECK(back.steps[1].change.from == 200 && back.steps[1].change.to == 300 &&
              back.steps[1].change.wait_seconds > 0);
        CHECK(back.steps[2].disk.volume.bytes == 2 * GIB &&
              back.steps[2].disk.volume.thin_id == 4 && back.steps[2].disk.grown);
        plan_free(&back);
    }
    plan_free(&plan);
    /* As an agent before this one has written it. */
    json_t *step = json_array_get(json_object_get(object, "steps"), 2);
    json_object_del(step, "from");
    json_object_del(step, "to");
    if (CHECK_NUMBER(0, plan_from_json(object, &back, &err)))
        plan_free(&back);
    facts.shut_down = true;
    check_plan(plan_resize, &facts, "| ");
    facts = (struct plan_facts){.slice = &slice, .resize.disk_gib = 2};
    check_plan(plan_resize, &facts, "| ");
    facts.domain = true;
    check_plan(plan_resize, &facts, "| disk.activate disk.grow ");
}

TEST(plan_of_images)
{
    struct plan_facts facts = {.image = &disk_image, .image_limit_bytes = 5 * GIB};
    struct plan plan;

    check_plan(plan_image_fetch, &facts, "image.import | ");
    check_plan(plan_image_delete, &facts, "| volume.deactivate volume.remove ");
    plan_make(plan_image_fetch, &facts, &plan);
    CHECK(plan.steps[0].import.volume.thin_id == 3 && plan.steps[0].import.volume.bytes == 5 * GIB);
    CHECK_TEXT("image-" ID, plan.steps[0].import.volume.name);
    CHECK_TEXT(ID, plan.steps[0].import.image);
    CHECK_NUMBER(0, plan.steps[0].import.scratch_id);
    plan_free(&plan);
    facts.image = &kernel_image;
    check_plan(plan_image_fetch, &facts, "file.import | ");
    check_plan(plan_image_delete, &facts, "| file.remove ");
}

static bool is_of_pool(plan_maker *maker, const struct plan_facts *facts)
{
    struct plan plan;

    plan_make(maker, facts, &plan);
    bool result = plan_is_of_pool(&plan);
    plan_free(&plan);
    return result;
}

/* What needs no domain asks nothing of the hypervisor. */
TEST(plan_of_the_pool_alone)
{
    struct slice slice = running_slice();
    struct plan_facts facts = {
        .slice = &slice, .snapshots = snapshots, .snapshot_count = 1, .image = &disk_image};

    CHECK(is_of_pool(plan_snapshot, &facts));
    CHECK(is_of_pool(plan_snapshot_delete, &facts));
    CHECK(is_of_pool(plan_export, &facts));
    CHECK(is_of_pool(plan_image_delete, &facts));
    CHECK(!is_of_pool(plan_revert, &facts));
    CHECK(!is_of_pool(plan_terminate, &facts));
    CHECK(!is_of_pool(plan_start, &facts));
    CHECK(!is_of_pool(plan_reboot, &facts));
}

TEST(plan_survives_the_store)
{
    struct slice slice = running_slice();
    struct plan_facts facts = {.slice = &slice, .image = &disk_image, .image_limit_bytes = 2 * GIB};
    struct plan plan, back;
    struct err err;

    plan_make(plan_provision, &facts, &plan);
    CLEANUP_JSON json_t *object = plan_to_json(&plan);
    if (CHECK_NUMBER(0, plan_from_json(object, &back, &err))) {
        CLEANUP_JSON json_t *again = plan_to_json(&back);
        CHECK(json_equal(object, again));
        CHECK_NUMBER(plan.count, back.count);
        plan_free(&back);
    }
    json_object_set_new(json_array_get(json_object_get(object, "steps"), 1), "kind",
                        json_string("disk.dance"));
    CHECK_NUMBER(-1, plan_from_json(object, &back, &err));
    CHECK_HOLDS("disk.dance", err.message);
    CHECK_NUMBER(-1, plan_from_json(NULL, &back, &err));
    plan_free(&plan);
}

/* The stored fields that have a meaning for each kind of step. */
static const struct {
    const char *kind;
    const char *fields;
} meanings[] = {
    {"image.import", "name thin_id origin_id bytes format"},
    {"file.import", "name bytes format"},
    {"disk.clone", "thin_id origin_id"},
    {"disk.activate", "name thin_id bytes flag"},
    {"seed.write", "name thin_id flag"},
    {"domain.start", "thin_id origin_id flag"},
    {"domain.shutdown", "flag"},
    {"domain.wait", "seconds"},
    {"domain.destroy", ""},
    {"domain.pause", ""},
    {"domain.unpause", ""},
    {"domain.vcpus", "from to seconds"},
    {"domain.memory", "from to seconds"},
    {"volume.deactivate", "name thin_id"},
    {"volume.remove", "thin_id"},
    {"snapshot.measure", "name origin_id bytes flag"},
    {"snapshot.take", "name thin_id origin_id bytes flag"},
    {"snapshot.export", "name thin_id origin_id bytes"},
    {"memory.save", "name thin_id bytes"},
    {"checkpoint.take", "name thin_id origin_id bytes flag"},
    {"domain.resume", ""},
    {"memory.check", "name thin_id bytes"},
    {"domain.restore", "name thin_id origin_id"},
    {"domain.run", ""},
    {"disk.swap", "thin_id"},
    {"file.remove", "name"},
    {"console.remove", ""},
    {"volume.create", "name thin_id bytes"},
    {"volume.activate", "name thin_id bytes"},
    {"disk.plug", "name thin_id bytes origin_id"},
    {"disk.unplug", "name thin_id bytes origin_id flag"},
    {"disk.grow", "name bytes origin_id flag"},
    {"node.reboot", ""},
};

static unsigned check_stored_step(const json_t *stored, const json_t *again)
{
    const char *kind = json_string_value(json_object_get(stored, "kind"));
    CHECK(json_equal(json_object_get(stored, "kind"), json_object_get(again, "kind")));
    for (unsigned i = 0; i < ARRAY_LENGTH(meanings); i++) {
        char fields[64], *rest = NULL;
        if (strcmp(meanings[i].kind, kind) != 0)
            continue;
        snprintf(fields, sizeof(fields), "%s", meanings[i].fields);
        for (char *name = strtok_r(fields, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
            CHECK(json_equal(json_object_get(stored, name), json_object_get(again, name)));
        return i;
    }
    CHECK_TEXT("a kind that is known", kind);
    return 0;
}

/* plans_format_1.json was written by the agent that had one set of fields for all kinds. What each kind uses of them is
 * read and written as it stands there; every kind is there. */
TEST(plan_of_an_agent_before_is_read)
{
    CLEANUP_JSON json_t *plans = json_load_file(ROOT "/tests/unit/plans_format_1.json", 0, NULL);
    bool met[ARRAY_LENGTH(meanings)] = {false};
    const char *name;
    json_t *stored;

    CHECK(json_object_size(plans) > 30);
    CHECK_NUMBER(STEP_COUNT, ARRAY_LENGTH(meanings));
    json_object_foreach(plans, name, stored)
    {
        struct plan plan;
        struct err err;
        json_t *steps = json_object_get(stored, "steps");
        if (!CHECK_NUMBER(0, plan_from_json(stored, &plan, &err)))
            continue;
        CLEANUP_JSON json_t *again = plan_to_json(&plan);
        CHECK_NUMBER(json_array_size(steps), plan.count);
        CHECK(json_equal(json_object_get(stored, "forward_from"),
                         json_object_get(again, "forward_from")));
        for (size_t i = 0; i < plan.count; i++)
            met[check_stored_step(json_array_get(steps, i),
                                  json_array_get(json_object_get(again, "steps"), i))] = true;
        plan_free(&plan);
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(met); i++)
        CHECK_TEXT(meanings[i].kind, met[i] ? meanings[i].kind : "not in the file");
}
