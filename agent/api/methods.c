/* What the local socket answers: the protocol's operations, and what an operator asks. */
#include "api/methods.h"

#include "api/console.h"
#include "api/socket.h"
#include "backend/console_log.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/nic.h"
#include "model/protocol.h"
#include "model/request.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "node/agent.h"
#include "node/lists.h"
#include "node/parameters.h"
#include "node/problem.h"
#include "node/usage.h"
#include "operation/task.h"
#include "process/loop.h"
#include "store/must.h"
#include "store/outbox.h"
#include "store/store.h"
#include "task/begin.h"
#include "task/queue.h"
#include "uplink/uplink.h"
#include "watch/domains.h"

#include <stdlib.h>
#include <string.h>

#define CONSOLE_INTERVAL_MS 300
/* To a follower at a time; the rest comes at the next interval. */
#define CONSOLE_CHUNK_BYTES (64u << 10)
#define CONSOLE_BYTES_USUAL 16384

/* --- Requests --------------------------------------------------------------------------------- */

static const char *phase_name(enum request_phase phase)
{
    static const char *const names[] = {"queued", "running", "undoing", "done", "failed"};
    return names[phase];
}

static json_t *request_json(const struct request_record *record)
{
    const struct request *request = &record->request;
    return json_pack("{s:s, s:s, s:o, s:s, s:o, s:o}", "id", request->id, "op",
                     operation_name(request->operation), "slice",
                     request->slice[0] ? json_string(request->slice) : json_null(), "phase",
                     phase_name(record->phase), "result",
                     record->result ? json_incref(record->result) : json_null(), "error",
                     record->phase == REQUEST_FAILED ? err_to_json(&record->error) : json_null());
}

/* The request's record; fails the call when there is none. */
static bool find_request(struct agent *agent, struct api_call *call, const char *id,
                         struct request_record *record)
{
    struct err err;
    if (must(store_request_find(agent->store, id, record, &err), &err) == 1)
        return true;
    err_set(&err, ERR_INVALID_ARGUMENT, "there is no request %.64s", id);
    api_fail(call, &err);
    return false;
}

static bool has_ended(const struct request_record *record)
{
    return record->phase == REQUEST_DONE || record->phase == REQUEST_FAILED;
}

/* Puts the operation on the queue; the answer comes at once with the request's id, or with `wait`
 * when it has ended. */
static void submit(struct agent *agent, struct api_call *call, const char *method,
                   const json_t *params)
{
    char id[UUID_TEXT_BYTES];
    struct err err, store_error;
    const json_t *slice = json_object_get(params, "slice"), *args = json_object_get(params, "args");
    const json_t *deadline = json_object_get(params, "deadline");
    uuid_make(id);
    if (json_object_get(params, "id"))
        copy_text(id, sizeof(id), json_member_text(params, "id"));
    json_t *request =
        json_pack("{s:s, s:s, s:o, s:o, s:o}", "id", id, "op", method, "slice",
                  slice ? json_copy((json_t *)(uintptr_t)slice) : json_null(), "args",
                  args ? json_copy((json_t *)(uintptr_t)args) : json_object(), "deadline",
                  deadline ? json_copy((json_t *)(uintptr_t)deadline) : json_null());
    int descriptor = api_take_descriptor(call);
    must(store_begin(agent->store, &store_error), &store_error);
    int added = tasks_submit(agent->tasks, request, false, &err);
    json_decref(request);
    if (descriptor >= 0)
        tasks_attach(agent->tasks, id, descriptor);
    if (added > 0)
        tasks_begin(agent->tasks);
    must(store_commit(agent->store, &store_error), &store_error);
    outbox_flush(agent->outbox);
    if (added < 0) {
        api_fail(call, &err);
        return;
    }
    struct request_record record;
    bool wait = json_is_true(json_object_get(params, "wait"));
    if (!wait) {
        api_answer(call, json_pack("{s:s, s:b}", "id", id, "known", added == 0));
    } else if (find_request(agent, call, id, &record)) {
        if (has_ended(&record))
            api_answer(call, request_json(&record));
        else
            api_call_defer(call, id);
        request_record_free(&record);
    }
}

static void request_wait(struct agent *agent, struct api_call *call, const json_t *params)
{
    struct request_record record;
    if (!find_request(agent, call, json_member_text(params, "id"), &record))
        return;
    if (has_ended(&record))
        api_answer(call, request_json(&record));
    else
        api_call_defer(call, record.request.id);
    request_record_free(&record);
}

static void request_show(struct agent *agent, struct api_call *call, const json_t *params)
{
    struct request_record record;
    if (!find_request(agent, call, json_member_text(params, "id"), &record))
        return;
    api_answer(call, request_json(&record));
    request_record_free(&record);
}

static void request_list(struct agent *agent, struct api_call *call, const json_t *params)
{
    struct request_record *records;
    size_t count;
    struct err err;
    json_t *array = json_array();
    (void)params;
    must(store_requests_open(agent->store, &records, &count, &err), &err);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, request_json(&records[i]));
    request_records_free(records, count);
    api_answer(call, array);
}

struct ended_request {
    const struct request_record *record;
};

static void answer_ended(void *context, struct api_call *call)
{
    struct ended_request *ended = context;
    api_answer(call, request_json(ended->record));
}

void methods_request_finished(struct agent *agent, const struct request_record *record)
{
    struct ended_request ended = {.record = record};
    if (agent->api)
        api_resume(agent->api, record->request.id, answer_ended, &ended);
}

/* --- What there is ---------------------------------------------------------------------------- */

static void slice_list(struct agent *agent, struct api_call *call, const json_t *params)
{
    (void)params;
    api_answer(call, report_slices(agent));
}

static void slice_show(struct agent *agent, struct api_call *call, const json_t *params)
{
    struct slice slice = {0};
    struct snapshot *snapshots;
    size_t count;
    struct err err;
    const char *id = json_member_text(params, "slice");
    if (must(store_slice_find(agent->store, id, &slice, &err), &err) == 0) {
        err_set(&err, ERR_SLICE_NOT_FOUND, "there is no slice %.64s", id);
        api_fail(call, &err);
        return;
    }
    must(store_snapshots(agent->store, slice.id, &snapshots, &count, &err), &err);
    json_t *object = slice_to_protocol(&slice, snapshots, count), *nics = json_array();
    for (unsigned i = 0; i < slice.nic_count; i++)
        json_array_append_new(
            nics, json_pack("{s:s, s:s}", "mac", slice.nics[i].mac, "address",
                            slice.nics[i].address_count ? slice.nics[i].addresses[0] : "dhcp"));
    json_object_set_new(object, "network", nics);
    json_object_set_new(object, "volumes", report_volumes(agent, slice.id));
    api_answer(call, object);
    free(snapshots);
    slice_free(&slice);
}

static void image_list(struct agent *agent, struct api_call *call, const json_t *params)
{
    (void)params;
    api_answer(call, report_images(agent));
}

static void volume_list(struct agent *agent, struct api_call *call, const json_t *params)
{
    (void)params;
    api_answer(call, report_volumes(agent, NULL));
}

static void snapshot_list(struct agent *agent, struct api_call *call, const json_t *params)
{
    const char *slice = json_member_text(params, "slice");
    api_answer(call, report_snapshots(agent, slice[0] ? slice : NULL));
}

static void node_status(struct agent *agent, struct api_call *call, const json_t *params)
{
    (void)params;
    json_t *status = report_status(agent, false);
    json_object_update_missing_new(
        status,
        json_pack("{s:o, s:s, s:s, s:s, s:o, s:i}", "node",
                  agent->identity.node_id[0] ? json_string(agent->identity.node_id) : json_null(),
                  "controller", agent->conf.controller, "session", agent->session, "version",
                  agent->version, "problems", problems_json(agent), "requests",
                  (int)tasks_count(agent->tasks)));
    api_answer(call, status);
}

/* --- Following -------------------------------------------------------------------------------- */

static void events_follow(struct agent *agent, struct api_call *call, const json_t *params)
{
    (void)agent;
    api_follow(call, json_member_text(params, "request"), json_member_text(params, "slice"));
    api_answer(call, NULL);
}

static void read_console(void *context, const char *slice, uint64_t *offset, json_t **chunk)
{
    struct agent *agent = context;
    char *bytes;
    size_t length;
    if (console_read(agent->options.console_dir, slice, offset, CONSOLE_CHUNK_BYTES, &bytes,
                     &length, NULL) < 0)
        return;
    if (length > 0)
        *chunk = json_clean_string(bytes);
    free(bytes);
}

static void console_tick(void *context)
{
    struct agent *agent = context;
    api_consoles(agent->api, read_console, agent);
    if (api_has_console_followers(agent->api))
        loop_timer(agent->loop, CONSOLE_INTERVAL_MS, console_tick, agent);
}

/* The last bytes now; with `follow`, what comes after as notifications. No request is recorded. */
static void console_show(struct agent *agent, struct api_call *call, const json_t *params)
{
    const char *slice = json_member_text(params, "slice");
    const json_t *wanted = json_object_get(params, "bytes");
    json_int_t bytes = json_is_integer(wanted) ? json_integer_value(wanted) : CONSOLE_BYTES_USUAL;
    CLEANUP_FREE char *tail = NULL;
    bool truncated;
    struct err err;
    if (!uuid_valid(slice) || bytes < 0 || bytes > (json_int_t)CONSOLE_ROTATE_BYTES) {
        err_set(&err, ERR_INVALID_ARGUMENT, "slice must be an id, bytes at most %u",
                CONSOLE_ROTATE_BYTES);
        api_fail(call, &err);
        return;
    }
    uint64_t offset = console_size(agent->options.console_dir, slice);
    if (console_tail(agent->options.console_dir, slice, (unsigned)bytes, &tail, &truncated, &err) <
        0) {
        api_fail(call, &err);
        return;
    }
    if (json_is_true(json_object_get(params, "follow"))) {
        if (!api_has_console_followers(agent->api))
            loop_timer(agent->loop, CONSOLE_INTERVAL_MS, console_tick, agent);
        api_follow_console(call, slice, offset);
    }
    api_answer(call, json_pack("{s:s, s:b}", "console", tail, "truncated", truncated));
}

/* --- The node --------------------------------------------------------------------------------- */

#define SHUTDOWN_TAG "node.shutdown"

static void answer_shutdown(void *context, struct api_call *call)
{
    (void)context;
    api_answer(call, json_pack("{s:b}", "stopped", 1));
}

void methods_check_shutdown(struct agent *agent)
{
    if (agent->api && domains_shutting_down(agent) && tasks_at_work(agent->tasks) == 0)
        api_resume(agent->api, SHUTDOWN_TAG, answer_shutdown, NULL);
}

/* For the machine's shutdown: no new work, every slice is stopped, what is desired stays. */
static void node_shutdown(struct agent *agent, struct api_call *call, const json_t *params)
{
    (void)params;
    api_call_defer(call, SHUTDOWN_TAG);
    if (!domains_shutting_down(agent)) {
        log_notice("the node shuts down: its slices are stopped");
        agent->draining = true;
        tasks_drain(agent->tasks);
        uplink_drain(agent);
        domains_shutdown(agent);
    }
    methods_check_shutdown(agent);
}

struct method {
    const char *name;
    void (*run)(struct agent *agent, struct api_call *call, const json_t *params);
};

static const struct method methods[] = {
    {"request.wait", request_wait},   {"request.show", request_show},
    {"request.list", request_list},   {"slice.list", slice_list},
    {"slice.show", slice_show},       {"image.list", image_list},
    {"snapshot.list", snapshot_list}, {"node.status", node_status},
    {"node.shutdown", node_shutdown}, {"events.follow", events_follow},
    {"console.show", console_show},   {"volume.list", volume_list},
    {"console.tty", console_tty},
};

static bool is_operation(const char *name)
{
    for (int i = 0; i < OP_COUNT; i++)
        if (strcmp(name, operation_name((enum operation)i)) == 0)
            return true;
    return false;
}

static void on_call(void *context, struct api_call *call, const char *method, const json_t *params)
{
    struct agent *agent = context;
    for (size_t i = 0; i < ARRAY_LENGTH(methods); i++) {
        if (strcmp(methods[i].name, method) == 0) {
            methods[i].run(agent, call, params);
            return;
        }
    }
    if (is_operation(method))
        submit(agent, call, method, params);
    else
        api_unknown_method(call, method);
}

int methods_open(struct agent *agent, struct err *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/api.sock", agent->options.run_dir);
    return api_open(agent->loop, path, on_call, agent, &agent->api, err);
}
