/* What each call to the controller carries, and what its answer means. */
#include "uplink/calls.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "node/agent.h"
#include "node/identity.h"
#include "node/inventory.h"
#include "node/parameters.h"
#include "node/problem.h"
#include "node/usage.h"
#include "process/call.h"
#include "store/must.h"
#include "store/outbox.h"
#include "store/store.h"
#include "task/begin.h"
#include "task/queue.h"
#include "uplink/certificate.h"
#include "uplink/events.h"
#include "uplink/link.h"
#include "uplink/registering.h"
#include "uplink/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOWEST_BYTES_PER_MS 4 /* a link of 32 kbit/s still takes a batch of events through */
#define POLL_WAIT_USUAL_SECONDS 30
/* The protocol's. A controller that wants more gets the usual. */
#define POLL_WAIT_MAX_SECONDS 300
/* The protocol's. A controller that wants more gets the usual. */
#define HEARTBEAT_MAX_SECONDS 3600
/* The protocol's; a longer one is refused, and that is logged. */
#define CURSOR_LENGTH_MAX 64
#define PROBLEM_KEY "controller"

/* --- Out -------------------------------------------------------------------------------------- */

static json_t *requests_query(struct agent *agent)
{
    CLEANUP_FREE char *cursor = NULL;
    struct err err;
    must(store_get(agent->store, "cursor", &cursor, &err), &err);
    json_t *query = json_pack("{s:i}", "wait", (int)agent->uplink->poll_wait_seconds);
    json_object_set_new(query, "after", cursor ? json_string(cursor) : json_null());
    return query;
}

/* A node that has lost what it kept says who it was and what is wrong: it may be refused, and its
 * controller must know all the same. */
static json_t *enrolment(struct agent *agent)
{
    CLEANUP_FREE char *lost = identity_lost(&agent->identity, agent->options.run_dir);
    json_t *body =
        json_pack("{s:s, s:s, s:o}", "token", agent->conf.token, "csr", agent->identity.csr,
                  "hardware", inventory_hardware(agent->options.sysfs));
    if (lost) {
        json_object_set_new(body, "previous_node_id", json_string(lost));
        json_object_set_new(body, "problems", problems_json(agent));
    }
    return body;
}

bool uplink_body(struct agent *agent, enum controller_call call, json_t **body, json_t **query,
                 int *timeout_ms)
{
    switch (call) {
    case CALL_ENROLL:
        *body = enrolment(agent);
        return true;
    case CALL_REGISTER:
        if (!registering_body(agent, body))
            return false;
        break;
    case CALL_REQUESTS:
        *query = requests_query(agent);
        *timeout_ms = (int)agent->uplink->poll_wait_seconds * 1000 + *timeout_ms / 2;
        return true;
    case CALL_EVENTS:
        if (!uplink_events_body(agent, body))
            return false;
        break;
    case CALL_STATUS:
        *body = report_status(agent, true);
        break;
    case CALL_CERTIFICATE:
        *body = json_pack("{s:s}", "csr", agent->identity.csr);
        return true;
    case CALL_COUNT:
        return false;
    }
    *timeout_ms += (int)(json_dumpb(*body, NULL, 0, JSON_COMPACT) / SLOWEST_BYTES_PER_MS);
    return true;
}

/* --- In --------------------------------------------------------------------------------------- */

static void note_issue(struct agent *agent)
{
    char now[32];
    struct err err;
    snprintf(now, sizeof(now), "%lld", (long long)(wall_ms() / 1000));
    must(store_set(agent->store, "certificate_issued", now, &err), &err);
}

static bool enrolled(struct agent *agent, const json_t *body)
{
    struct identity *identity = &agent->identity;
    struct err err;
    char *previous = NULL;
    /* sliced-net has checked this; but it is sliced-net that outside data may have taken over. */
    if (!uuid_valid(json_member_text(body, "node_id")) ||
        !json_member_text(body, "certificate")[0] || !json_member_text(body, "ca")[0]) {
        log_error("enrolment brought no proper identity");
        return false;
    }
    must(store_get(agent->store, "node_id", &previous, &err), &err);
    identity_set(&identity->node_id, json_member_text(body, "node_id"));
    identity_set(&identity->certificate, json_member_text(body, "certificate"));
    identity_set(&identity->ca, json_member_text(body, "ca"));
    identity_set(&identity->controller, agent->conf.controller);
    must(store_begin(agent->store, &err), &err);
    /* Another node's place in its list of requests means nothing here. */
    if (!previous || strcmp(previous, identity->node_id) != 0)
        must(store_set(agent->store, "cursor", NULL, &err), &err);
    must(store_set(agent->store, "node_id", identity->node_id, &err), &err);
    note_issue(agent);
    must(store_commit(agent->store, &err), &err);
    free(previous);
    if (identity_save(identity, &err) < 0) {
        problem_set(agent, "identity", &err);
        return false;
    }
    identity_tell(identity, agent->options.run_dir);
    problem_clear(agent, "lost");
    log_notice("enrolled node=%s controller=%s", identity->node_id, agent->conf.controller);
    uplink_config(agent);
    return true;
}

/* Sets whether events wait: those of before the agent's start have told nobody. */
static uint64_t registered(struct agent *agent, const json_t *body, bool *more)
{
    size_t waiting;
    struct err err;
    int64_t acknowledged = uplink_events_number(body);
    json_int_t heartbeat = json_integer_value(json_object_get(body, "heartbeat_seconds"));
    const json_t *wait = json_object_get(body, "poll_wait_seconds");
    json_int_t seconds = json_is_integer(wait) ? json_integer_value(wait) : POLL_WAIT_USUAL_SECONDS;
    agent->uplink->poll_wait_seconds = seconds >= 0 && seconds <= POLL_WAIT_MAX_SECONDS
                                           ? (unsigned)seconds
                                           : POLL_WAIT_USUAL_SECONDS;
    must(store_events_acknowledge(agent->store, acknowledged, &err), &err);
    must(store_events_count(agent->store, &waiting, &err), &err);
    *more = waiting > 0;
    return heartbeat > 0 && heartbeat <= HEARTBEAT_MAX_SECONDS ? (uint64_t)heartbeat * 1000 : 0;
}

/* The requests and the place after them are kept in one transaction: none is lost or met twice. */
static int take_requests(struct agent *agent, const json_t *body, bool *more)
{
    const char *cursor = json_member_text(body, "cursor");
    json_t *requests = json_object_get(body, "requests"), *request;
    struct err err, refused;
    size_t index;
    if (!cursor[0] || strlen(cursor) > CURSOR_LENGTH_MAX) {
        log_error("the controller's list of requests has no proper cursor");
        return -1;
    }
    must(store_begin(agent->store, &err), &err);
    json_array_foreach(requests, index, request)(void)
        tasks_submit(agent->tasks, request, false, &refused); /* it has told why */
    must(store_set(agent->store, "cursor", cursor, &err), &err);
    tasks_begin(agent->tasks);
    must(store_commit(agent->store, &err), &err);
    outbox_flush(agent->outbox);
    *more = json_array_size(requests) > 0;
    return 0;
}

static void renewed(struct agent *agent, const json_t *body)
{
    struct err err;
    agent->uplink->renewing = false;
    identity_set(&agent->identity.certificate, json_member_text(body, "certificate"));
    note_issue(agent);
    if (identity_save(&agent->identity, &err) < 0)
        problem_set(agent, "identity", &err);
    log_notice("the node's certificate is renewed");
    uplink_config(agent);
}

static struct session_input failed(struct agent *agent, enum controller_call call,
                                   const json_t *message)
{
    const json_t *error = json_object_get(message, "error");
    const json_t *retry = json_object_get(message, "retry");
    const json_t *after = json_object_get(message, "retry_after_seconds");
    struct session_input input = {.kind = INPUT_ERROR, .call = call};
    struct err err;
    input.status = (int)json_integer_value(json_object_get(message, "status"));
    input.final = json_is_false(retry);
    if (json_is_integer(after) && json_integer_value(after) > 0)
        input.retry_after_ms = (uint64_t)json_integer_value(after) * 1000;
    err_set(&err, err_code_from_name(json_member_text(error, "code")), "%s",
            json_member_text(error, "message"));
    if (call == CALL_REGISTER)
        registering_failed(agent, input.status);
    if (call == CALL_EVENTS && input.status == 400 && uplink_events_refused(agent, err.message))
        return (struct session_input){.kind = INPUT_REPLY, .call = call, .more = true};
    /* When the controller's certificate seems to be of another time it is the clock that is
     * wrong. */
    if (call == CALL_REGISTER && err.code != ERR_CONTROLLER_CERTIFICATE &&
        certificate_enrol_anew(agent, &input))
        return input;
    bool lasting = call == CALL_ENROLL || call == CALL_REGISTER ||
                   err.code == ERR_CONTROLLER_CERTIFICATE || err.code == ERR_WRONG_NODE;
    if (lasting)
        problem_set(agent, PROBLEM_KEY, &err);
    else
        log_warning("%s: %s: %s", controller_call_name(call), err_code_name(err.code), err.message);
    return input;
}

/* A part of the registration was taken, or all of it. */
static void registration_answered(struct agent *agent, const json_t *body, int status,
                                  struct session_input *input)
{
    struct err err;
    int left = registering_answered(agent, status, &err);
    if (left < 0) {
        problem_set(agent, REGISTRATION_PROBLEM, &err);
        *input = (struct session_input){.kind = INPUT_ERROR, .call = CALL_REGISTER, .final = true};
    } else if (left > 0) {
        input->kind = INPUT_CONTINUE;
    } else {
        problem_clear(agent, REGISTRATION_PROBLEM);
        input->heartbeat_ms = registered(agent, body, &input->more);
    }
}

struct session_input uplink_reply(struct agent *agent, enum controller_call call,
                                  const json_t *message, uint64_t elapsed_ms)
{
    const json_t *body = json_object_get(message, "body");
    json_int_t status = json_integer_value(json_object_get(message, "status"));
    struct session_input input = {.kind = INPUT_REPLY, .call = call, .elapsed_ms = elapsed_ms};
    if (json_object_get(message, "error"))
        return failed(agent, call, message);
    problem_clear(agent, PROBLEM_KEY);
    if (call == CALL_ENROLL && status == 202) {
        json_int_t seconds = json_integer_value(json_object_get(body, "retry_after_seconds"));
        log_write(agent->uplink->waiting_told ? LOG_LEVEL_DEBUG : LOG_LEVEL_NOTICE,
                  "enrolment waits for approval by the controller's operator");
        agent->uplink->waiting_told = true;
        input.kind = INPUT_WAITING;
        input.retry_after_ms = (uint64_t)(seconds > 0 ? seconds : 30) * 1000;
        return input;
    }
    switch (call) {
    case CALL_ENROLL:
        if (!enrolled(agent, body))
            input.kind = INPUT_ERROR;
        break;
    case CALL_REGISTER:
        registration_answered(agent, body, (int)status, &input);
        break;
    case CALL_REQUESTS:
        if (take_requests(agent, body, &input.more) < 0)
            input.kind = INPUT_ERROR;
        break;
    case CALL_EVENTS:
        if (uplink_events_acknowledged(agent, body, &input.more) < 0)
            input.kind = INPUT_ERROR;
        break;
    case CALL_CERTIFICATE:
        renewed(agent, body);
        break;
    case CALL_STATUS:
    case CALL_COUNT:
        break;
    }
    return input;
}
