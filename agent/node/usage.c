#include "node/usage.h"

#include "backend/backend.h"
#include "backend/domain_list.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "capacity/admit.h"
#include "model/nic.h"
#include "model/slice.h"
#include "model/volume.h"
#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"
#include "operation/capacity.h"
#include "plan/steps.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

/* Slices, and volumes, of a heartbeat: 0.7 MB in all. A node with ten times as many tells of each
 * in every tenth heartbeat. */
#define STATUS_ITEMS 2048

struct domain_list {
    struct domain_info *list;
    struct domain_counters *counters;
    size_t count;
};

/* What cannot be asked is not there, or zero. */
static void find_domains(struct agent *agent, struct domain_list *domains)
{
    struct hypervisor *hypervisor = &agent->backend.hypervisor;
    if (hypervisor->domain_list(hypervisor->state, &domains->list, &domains->count, NULL) < 0)
        domains->count = 0;
    domains->counters = xcalloc(domains->count + 1, sizeof(*domains->counters));
    if (hypervisor->counters(hypervisor->state, domains->list, domains->count, domains->counters,
                             NULL) < 0)
        memset(domains->counters, 0, domains->count * sizeof(*domains->counters));
}

static json_t *usage_json(const struct slice *slice, const struct domain_list *domains)
{
    const struct domain_info *domain = NULL;
    struct domain_counters counters = {0};
    size_t some, last = domain_list_find(domains->list, domains->count, slice->id, &some) + some;
    if (some) {
        domain = &domains->list[last - 1];
        counters = domains->counters[last - 1];
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

/* How many of `count` follow from *first on; sets *next to where the next heartbeat goes on. */
static size_t its_turn(size_t count, bool in_turn, size_t *first, size_t *next)
{
    *first = in_turn && *next < count ? *next : 0;
    size_t some = in_turn && count - *first > STATUS_ITEMS ? STATUS_ITEMS : count - *first;
    if (in_turn)
        *next = *first + some;
    return some;
}

static json_t *usages_json(struct agent *agent, bool in_turn)
{
    struct domain_list domains = {.list = NULL};
    json_t *array = json_array();
    const struct slice *const *slices;
    size_t count, first;
    if (store_slices(agent->store, &slices, &count, NULL) < 0)
        return array;
    find_domains(agent, &domains);
    size_t some = its_turn(count, in_turn, &first, &agent->status_slice);
    for (size_t i = first; i < first + some; i++)
        json_array_append_new(array, usage_json(slices[i], &domains));
    free(domains.list);
    free(domains.counters);
    return array;
}

/* What the volumes have of the pool; one that is active nowhere is not asked. */
static json_t *volume_usages_json(struct agent *agent, bool in_turn)
{
    const struct storage *storage = &agent->backend.storage;
    json_t *array = json_array();
    struct volume *volumes;
    size_t count, first;
    if (store_volumes(agent->store, NULL, &volumes, &count, NULL) < 0)
        return array;
    size_t some = its_turn(count, in_turn, &first, &agent->status_volume);
    for (size_t i = first; i < first + some; i++) {
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

json_t *report_status(struct agent *agent, bool in_turn)
{
    struct capacity capacity;
    struct err err;
    char time[TIME_TEXT_BYTES];
    time_format(wall_ms(), time);
    if (tasks_capacity(agent->tasks, NULL, &capacity, &err) < 0) {
        log_warning("the capacity: %s", err.message);
        memset(&capacity, 0, sizeof(capacity));
    }
    return json_pack("{s:s, s:s, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}, s:o, s:o}",
                     "time", time, "state", agent->draining ? "draining" : "ready", "capacity",
                     "vcpus", (json_int_t)capacity.threads, "memory_mib",
                     (json_int_t)capacity.memory_mib, "memory_free_mib",
                     (json_int_t)admit_memory_free_mib(&capacity), "dom0_mib",
                     (json_int_t)(capacity.dom0_kib >> 10), "dom0_free_mib",
                     (json_int_t)(admit_dom0_free_kib(&capacity) >> 10), "disk_mib",
                     (json_int_t)(capacity.disk_bytes / MIB), "disk_free_mib",
                     (json_int_t)(admit_disk_free_bytes(&capacity) / MIB), "disk_used_mib",
                     (json_int_t)(capacity.pool.data_used_bytes / MIB), "metadata_percent",
                     admit_metadata_percent(&capacity), "slices", usages_json(agent, in_turn),
                     "volumes", volume_usages_json(agent, in_turn));
}
