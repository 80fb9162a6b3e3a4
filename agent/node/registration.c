#include "node/registration.h"

#include "base/err.h"
#include "base/ident.h"
#include "base/memory.h"
#include "model/nic.h"
#include "model/protocol.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "model/volume.h"
#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"
#include "node/report.h"
#include "store/must.h"
#include "store/store.h"

#include <stdlib.h>

/* Of the lists in a part: 2,700 snapshots or so, two minutes of a link of 32 kbit/s. With the head,
 * of 20 KiB as a rule, it stays below the 1 MiB that many a proxy before a controller takes; ten
 * times of it no controller has to take. */
#define PART_BYTES (512u << 10)
/* Slices, and volumes, of a part: the protocol's maxItems. Ten times of it would be refused. */
#define PART_ITEMS 4096
/* A snapshot in a slice's list with the longest name has 170 bytes, a slice without any has 1 KiB
 * and its error. */
#define SNAPSHOT_BYTES 192
#define SLICE_BYTES 8192
/* The protocol's: 700,000 snapshots. Their texts are in dom0's memory while the
 * node registers: 170 bytes each, 7 MB for 40,000, 70 MB for ten times as many. More is refused and
 * told, never cut. */
#define PARTS_MAX 256

struct maker {
    struct registration *to;
    json_t *head;
    json_t *slices;
    json_t *volumes;
    size_t bytes;
};

static void begin_part(struct maker *maker)
{
    maker->slices = json_array();
    maker->volumes = json_array();
    maker->bytes = 0;
}

/* Kept as text: as objects the parts would take ten times the memory. */
static void end_part(struct maker *maker)
{
    struct registration *to = maker->to;
    CLEANUP_JSON json_t *body = json_copy(maker->head);
    json_object_set_new(body, "slices", maker->slices);
    json_object_set_new(body, "volumes", maker->volumes);
    to->parts = xrealloc(to->parts, (to->count + 1) * sizeof(*to->parts));
    to->parts[to->count++] = json_dumps(body, JSON_COMPACT);
}

static void need_room(struct maker *maker, const json_t *list, size_t bytes)
{
    if (maker->bytes + bytes <= PART_BYTES && json_array_size(list) < PART_ITEMS)
        return;
    end_part(maker);
    begin_part(maker);
}

static void add(struct maker *maker, json_t *list, json_t *item)
{
    maker->bytes += json_dumpb(item, NULL, 0, JSON_COMPACT) + 1;
    json_array_append_new(list, item);
}

/* A slice whose snapshots have no room in this part stands in the next one again, with those that
 * follow. */
static void add_slice(struct maker *maker, const struct slice *slice,
                      const struct snapshot *snapshots, size_t count)
{
    do {
        need_room(maker, maker->slices, SLICE_BYTES + SNAPSHOT_BYTES);
        size_t some = (PART_BYTES - maker->bytes - SLICE_BYTES) / SNAPSHOT_BYTES;
        if (some > count)
            some = count;
        add(maker, maker->slices, slice_to_protocol(slice, snapshots, some));
        snapshots += some;
        count -= some;
    } while (count > 0);
}

/* What cannot be read ends the agent: a list that is too short would say that slices are gone. */
static void add_lists(struct agent *agent, struct maker *maker)
{
    const struct slice *const *slices;
    struct snapshot *snapshots;
    struct volume *volumes;
    size_t count, snapshot_count;
    struct err err;
    must(store_slices(agent->store, &slices, &count, &err), &err);
    for (size_t i = 0; i < count; i++) {
        must(store_snapshots(agent->store, slices[i]->id, &snapshots, &snapshot_count, &err), &err);
        add_slice(maker, slices[i], snapshots, snapshot_count);
        free(snapshots);
    }
    must(store_volumes(agent->store, NULL, &volumes, &count, &err), &err);
    for (size_t i = 0; i < count; i++) {
        need_room(maker, maker->volumes, SLICE_BYTES);
        add(maker, maker->volumes, volume_to_protocol(&volumes[i]));
    }
    free(volumes);
}

int registration_make(struct agent *agent, struct registration *registration, struct err *err)
{
    CLEANUP_JSON json_t *head = report_head(agent);
    struct maker maker = {.to = registration, .head = head};
    *registration = (struct registration){.count = 0};
    uuid_make(registration->set);
    begin_part(&maker);
    add_lists(agent, &maker);
    end_part(&maker);
    if (registration->count <= PARTS_MAX)
        return 0;
    err_set(
        err, ERR_INTERNAL,
        "the node has more slices, snapshots and volumes than a registration can tell: it would "
        "take %zu parts of %u KiB, %u are allowed; delete snapshots",
        registration->count, PART_BYTES >> 10, PARTS_MAX);
    registration_free(registration);
    return -1;
}

json_t *registration_part(const struct registration *registration, size_t index)
{
    json_t *body = json_loads(registration->parts[index], 0, NULL);
    if (registration->count > 1)
        json_object_set_new(body, "part",
                            json_pack("{s:s, s:I, s:b}", "set", registration->set, "number",
                                      (json_int_t)index + 1, "last",
                                      index + 1 == registration->count));
    return body;
}

void registration_free(struct registration *registration)
{
    for (size_t i = 0; i < registration->count; i++)
        free(registration->parts[i]);
    free(registration->parts);
    *registration = (struct registration){.count = 0};
}

int registration_report(struct agent *agent, json_t **report, bool *whole, struct err *err)
{
    struct registration registration;
    if (registration_make(agent, &registration, err) < 0)
        return -1;
    *report = registration_part(&registration, 0);
    *whole = registration.count == 1;
    registration_free(&registration);
    return 0;
}
