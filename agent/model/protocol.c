/* A slice as the controller sees it. */
#include "model/protocol.h"

#include "base/clock.h"
#include "base/json.h"
#include "model/nic.h"
#include "model/slice.h"
#include "model/snapshot.h"

static json_t *snapshots_to_json(const struct snapshot *snapshots, size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++) {
        char time[TIME_TEXT_BYTES];

        time_format(snapshots[i].created_ms, time);
        json_array_append_new(array, json_pack("{s:s, s:s, s:s, s:b}", "id", snapshots[i].id,
                                               "name", snapshots[i].name, "time", time, "memory",
                                               snapshots[i].memory.thin_id != 0));
    }
    return array;
}

json_t *slice_to_protocol(const struct slice *slice, const struct snapshot *snapshots, size_t count)
{
    json_t *image = slice->image[0] ? json_string(slice->image) : json_null();
    json_t *domain_id = slice->domain_id > 0 ? json_integer(slice->domain_id) : json_null();

    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "id", slice->id, "name",
        slice->name, "state", slice_state_name(slice->state), "desired",
        slice->desired_running ? "running" : "stopped", "type", slice_type_names[slice->type],
        "vcpus", (json_int_t)slice->vcpus, "memory_mib", (json_int_t)slice->memory_mib, "disk_gib",
        (json_int_t)slice->disk_gib, "image", image, "domain_id", domain_id, "snapshots",
        snapshots_to_json(snapshots, count), "error", err_to_json(&slice->error));
    if (slice->snapshot[0])
        json_object_set_new(object, "snapshot", json_string(slice->snapshot));
    if (slice->max_vcpus)
        json_object_set_new(object, "max_vcpus", json_integer(slice->max_vcpus));
    if (slice->max_memory_mib)
        json_object_set_new(object, "max_memory_mib",
                            json_integer((json_int_t)slice->max_memory_mib));
    return object;
}
