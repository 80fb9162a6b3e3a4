/* The bodies of the registration and the heartbeat. */
#include "main.h"

#include "json.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>
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

static json_t *storage_json(struct agent *agent)
{
    struct pool_usage usage;
    struct statvfs state;
    struct err err;
    struct storage *storage = &agent->backend.storage;
    if (!storage->usage)
        return json_null();
    if (storage->usage(storage->state, &usage, &err) < 0) {
        log_warning("the pool: %s", err.message);
        return json_null();
    }
    double metadata = usage.metadata_total_bytes ? 100.0 * (double)usage.metadata_used_bytes /
                                                       (double)usage.metadata_total_bytes
                                                 : 0;
    json_t *object = json_pack(
        "{s:I, s:I, s:f}", "pool_mib", (json_int_t)(usage.data_total_bytes / MIB), "used_mib",
        (json_int_t)(usage.data_used_bytes / MIB), "metadata_percent", metadata);
    if (statvfs(agent->options.state_dir, &state) == 0) {
        json_object_set_new(object, "state_mib",
                            json_integer((json_int_t)(state.f_blocks * state.f_frsize / MIB)));
        json_object_set_new(object, "state_free_mib",
                            json_integer((json_int_t)(state.f_bavail * state.f_frsize / MIB)));
    }
    return object;
}

static json_t *inventory_json(struct agent *agent, const struct host_info *host)
{
    return json_pack("{s:{s:o, s:I}, s:I, s:{s:o, s:I}, s:o, s:o, s:o}", "cpu", "model",
                     json_clean_string(host->cpu_model), "threads", (json_int_t)host->threads,
                     "memory_mib", (json_int_t)host->memory_mib, "xen", "version",
                     json_clean_string(host->hypervisor_version), "free_memory_mib",
                     (json_int_t)host->memory_free_mib, "nics",
                     inventory_nics(agent->options.sysfs), "disks",
                     inventory_disks(agent->options.run_dir), "storage", storage_json(agent));
}

json_t *report_registration(struct agent *agent)
{
    struct hypervisor *hypervisor = &agent->backend.hypervisor;
    struct host_info host = {.threads = 1, .memory_mib = 1};
    struct err err;
    json_t *capabilities = json_array(), *types = json_array();
    if (hypervisor->host(hypervisor->state, &host, &err) < 0)
        log_error("the hypervisor: %s", err.message);
    for (int i = 0; i < OP_COUNT; i++)
        json_array_append_new(capabilities, json_string(operation_name((enum operation)i)));
    if (host.pvh)
        json_array_append_new(types, json_string("pvh"));
    if (host.pv)
        json_array_append_new(types, json_string("pv"));
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "boot_id", agent->boot_id,
                     "version", agent->version, "name", json_clean_string(agent->conf.name),
                     "capabilities", capabilities, "types", types, "inventory",
                     inventory_json(agent, &host), "slices", report_slices(agent), "volumes",
                     report_volumes(agent, NULL), "problems", problems_json(agent));
}

/* --- The heartbeat ------------------------------------------------------------------------------- */

struct domains {
    struct domain_info list[DOMAIN_LIST_MAX];
    struct domain_counters counters[DOMAIN_LIST_MAX];
    size_t count;
};

/* What cannot be asked is not there, or zero. */
static void find_domains(struct agent *agent, struct domains *domains)
{
    struct hypervisor *hypervisor = &agent->backend.hypervisor;
    if (hypervisor->domain_list(hypervisor->state, domains->list, DOMAIN_LIST_MAX, &domains->count,
                                NULL) < 0)
        domains->count = 0;
    if (hypervisor->counters(hypervisor->state, domains->list, domains->count, domains->counters,
                             NULL) < 0)
        memset(domains->counters, 0, sizeof(domains->counters));
}

static json_t *usage_json(const struct slice *slice, const struct domains *domains)
{
    const struct domain_info *domain = NULL;
    struct domain_counters counters = {0};
    for (size_t i = 0; i < domains->count && !domain; i++) {
        if (strcmp(domains->list[i].slice, slice->id) != 0)
            continue;
        domain = &domains->list[i];
        counters = domains->counters[i];
    }
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "id", slice->id, "state",
                     slice_state_name(slice->state), "cpu_ms",
                     (json_int_t)(domain ? domain->cpu_ms : 0), "memory_mib",
                     (json_int_t)(domain ? domain->memory_kib / 1024 : 0), "disk_read_bytes",
                     (json_int_t)counters.disk_read_bytes, "disk_written_bytes",
                     (json_int_t)counters.disk_written_bytes, "net_rx_bytes",
                     (json_int_t)counters.net_received_bytes, "net_tx_bytes",
                     (json_int_t)counters.net_sent_bytes);
}

static json_t *usages_json(struct agent *agent)
{
    CLEANUP_FREE struct domains *domains = xcalloc(1, sizeof(*domains));
    json_t *array = json_array();
    const struct slice *const *slices;
    size_t count;
    if (store_slices(agent->store, &slices, &count, NULL) < 0)
        return array;
    find_domains(agent, domains);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, usage_json(slices[i], domains));
    return array;
}

/* What the volumes have of the pool; one that is active nowhere is not asked. */
static json_t *volume_usages_json(struct agent *agent)
{
    const struct storage *storage = &agent->backend.storage;
    json_t *array = json_array();
    struct volume *volumes;
    size_t count;
    if (store_volumes(agent->store, NULL, &volumes, &count, NULL) < 0)
        return array;
    for (size_t i = 0; i < count; i++) {
        char name[VOLUME_NAME_BYTES];
        uint64_t bytes;
        volume_name(name, "data", volumes[i].id);
        bool known = volumes[i].slice[0] && storage->mapped &&
                     storage->mapped(storage->state, name, &bytes, NULL) == 0;
        json_array_append_new(
            array, json_pack("{s:s, s:I, s:o}", "id", volumes[i].id, "size_gib",
                             (json_int_t)volumes[i].size_gib, "used_mib",
                             known ? json_integer((json_int_t)(bytes / MIB)) : json_null()));
    }
    free(volumes);
    return array;
}

json_t *report_status(struct agent *agent)
{
    struct capacity capacity;
    struct err err;
    char time[TIME_TEXT_BYTES];
    time_format(wall_ms(), time);
    if (tasks_capacity(agent->tasks, NULL, &capacity, &err) < 0) {
        log_warning("the capacity: %s", err.message);
        memset(&capacity, 0, sizeof(capacity));
    }
    return json_pack("{s:s, s:s, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:f}, s:o, s:o}", "time", time,
                     "state", agent->draining ? "draining" : "ready", "capacity", "vcpus",
                     (json_int_t)capacity.threads, "memory_mib", (json_int_t)capacity.memory_mib,
                     "memory_free_mib", (json_int_t)admit_memory_free_mib(&capacity), "disk_mib",
                     (json_int_t)(capacity.disk_bytes / MIB), "disk_free_mib",
                     (json_int_t)(admit_disk_free_bytes(&capacity) / MIB), "disk_used_mib",
                     (json_int_t)(capacity.pool.data_used_bytes / MIB), "metadata_percent",
                     admit_metadata_percent(&capacity), "slices", usages_json(agent), "volumes",
                     volume_usages_json(agent));
}
