/* Events on their way to the controller, batch by batch from the oldest on. */
#include "uplink/events.h"

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"
#include "store/must.h"
#include "store/store.h"
#include "uplink/link.h"

/* A batch is acknowledged as a whole; the protocol takes 256. A node with 100,000 that wait makes
 * 1,000 calls. */
#define EVENTS_BATCH 100
/* Of a batch, unless a single event is longer: a proxy before the controller may take no more than
 * 1 MiB. Of ten times as much a slow link would not see the end. */
#define EVENTS_BYTES (512u << 10)

/* The next batch; the caller frees it. */
static json_t *next_batch(struct agent *agent)
{
    unsigned limit = agent->uplink->events_limit ? agent->uplink->events_limit : EVENTS_BATCH;
    json_t *events;
    struct err err;
    must(store_events(agent->store, 0, limit, EVENTS_BYTES, &events, &err), &err);
    return events;
}

bool uplink_events_body(struct agent *agent, json_t **body)
{
    json_t *events = next_batch(agent);
    if (json_array_size(events) == 0) {
        json_decref(events);
        return false;
    }
    *body = json_pack("{s:o}", "events", events);
    return true;
}

/* A node.problem in the place of an event that the controller does not take, with its number. */
static void put_stand_in(struct agent *agent, const json_t *event, const char *message)
{
    json_int_t seq = json_integer_value(json_object_get(event, "seq"));
    const char *type = json_string_value(json_object_get(event, "type"));
    struct err error, err;
    err_set(&error, ERR_INTERNAL, "event %lld (%s) was refused by the controller: %s",
            (long long)seq, type ? type : "", message);
    log_error("%s", error.message);
    json_t *stand_in = json_pack(
        "{s:O, s:O, s:O, s:s, s:n, s:n, s:n, s:o}", "time", json_object_get(event, "time"),
        "request", json_object_get(event, "request"), "slice", json_object_get(event, "slice"),
        "type", "node.problem", "step", "progress", "result", "error", err_to_json(&error));
    must(store_event_replace(agent->store, seq, stand_in, &err), &err);
    json_decref(stand_in);
    agent->uplink->refused_seq = seq;
}

bool uplink_events_refused(struct agent *agent, const char *message)
{
    struct uplink *uplink = agent->uplink;
    json_t *events = next_batch(agent);
    size_t count = json_array_size(events);
    const json_t *first = json_array_get(events, 0);
    json_int_t seq = json_integer_value(json_object_get(first, "seq"));
    /* When it does not even take what was put there instead, it is not the event that is wrong. */
    bool again = count > 0 && (count > 1 || seq != uplink->refused_seq);
    if (count > 1)
        uplink->events_limit = (unsigned)count / 2;
    else if (again)
        put_stand_in(agent, first, message);
    json_decref(events);
    return again;
}

int64_t uplink_events_number(const json_t *body)
{
    json_int_t number = json_integer_value(json_object_get(body, "acknowledged"));
    if (number >= 0 && number <= EVENT_SEQ_ACKNOWLEDGED_MAX)
        return number;
    log_error("the controller cannot have event %lld: taken for none", (long long)number);
    return 0;
}

int uplink_events_acknowledged(struct agent *agent, const json_t *body, bool *more)
{
    struct err err;
    size_t before, left;
    agent->uplink->events_limit = 0;
    must(store_events_count(agent->store, &before, &err), &err);
    must(store_events_acknowledge(agent->store, uplink_events_number(body), &err), &err);
    must(store_events_count(agent->store, &left, &err), &err);
    *more = left > 0;
    return left < before ? 0 : -1;
}
