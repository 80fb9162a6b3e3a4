/* What the node is, apart from what it has. */
#include "node/report.h"

#include "backend/backend.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/request.h"
#include "node/agent.h"
#include "node/inventory.h"
#include "node/parameters.h"
#include "node/problem.h"

#include <sys/statvfs.h>

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

json_t *report_head(struct agent *agent)
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
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "boot_id", agent->boot_id, "version",
                     agent->version, "name", json_clean_string(agent->conf.name), "capabilities",
                     capabilities, "types", types, "inventory", inventory_json(agent, &host),
                     "problems", problems_json(agent));
}
