#include "node/lists.h"

#include "base/clock.h"
#include "base/memory.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/protocol.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "model/volume.h"
#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"
#include "store/store.h"

#include <stdlib.h>
#include <sys/statvfs.h>

json_t *report_snapshots(struct agent *agent, const char *slice)
{
    json_t *array = json_array();
    struct snapshot *snapshots;
    size_t count;
    if (store_snapshots(agent->store, slice, &snapshots, &count, NULL) < 0)
        return array;
    for (size_t i = 0; i < count; i++) {
        char time[TIME_TEXT_BYTES];
        time_format(snapshots[i].created_ms, time);
        json_array_append_new(array,
                              json_pack("{s:s, s:s, s:s, s:s, s:I, s:b}", "id", snapshots[i].id,
                                        "slice", snapshots[i].slice, "name", snapshots[i].name,
                                        "time", time, "reserved_mib",
                                        (json_int_t)((snapshots[i].reserved_bytes + MIB - 1) / MIB),
                                        "memory", snapshots[i].memory.thin_id != 0));
    }
    free(snapshots);
    return array;
}

json_t *report_slices(struct agent *agent)
{
    json_t *array = json_array();
    const struct slice *const *slices;
    size_t count;
    if (store_slices(agent->store, &slices, &count, NULL) < 0)
        return array;
    for (size_t i = 0; i < count; i++) {
        struct snapshot *snapshots = NULL;
        size_t snapshot_count = 0;
        store_snapshots(agent->store, slices[i]->id, &snapshots, &snapshot_count, NULL);
        json_array_append_new(array, slice_to_protocol(slices[i], snapshots, snapshot_count));
        free(snapshots);
    }
    return array;
}

json_t *report_volumes(struct agent *agent, const char *slice)
{
    json_t *array = json_array();
    struct volume *volumes;
    size_t count;
    if (store_volumes(agent->store, slice, &volumes, &count, NULL) < 0)
        return array;
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, volume_to_protocol(&volumes[i]));
    free(volumes);
    return array;
}

json_t *report_images(struct agent *agent)
{
    static const char *const kinds[] = {"disk", "kernel", "ramdisk"};
    json_t *array = json_array();
    struct image *images;
    size_t count;
    if (store_images(agent->store, &images, &count, NULL) < 0)
        return array;
    for (size_t i = 0; i < count; i++) {
        char time[TIME_TEXT_BYTES];
        time_format(images[i].used_ms, time);
        json_array_append_new(
            array, json_pack("{s:s, s:s, s:b, s:I, s:I, s:o}", "id", images[i].id, "kind",
                             kinds[images[i].kind], "ready", images[i].ready, "size_mib",
                             (json_int_t)((images[i].size_bytes + MIB - 1) / MIB), "used_mib",
                             (json_int_t)((images[i].mapped_bytes + MIB - 1) / MIB), "last_used",
                             images[i].used_ms ? json_string(time) : json_null()));
    }
    free(images);
    return array;
}
