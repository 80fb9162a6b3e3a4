/* sliced-net, the child that makes the calls: started again when it ends or does not answer. */
#include "uplink/link.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "node/agent.h"
#include "node/identity.h"
#include "node/parameters.h"
#include "node/problem.h"
#include "process/call.h"
#include "process/child.h"
#include "process/loop.h"
#include "process/wire.h"

#include <poll.h>

#define RESPAWN_FIRST_MS 500
#define RESPAWN_CAP_MS 30000
#define ANSWER_MARGIN_MS 30000 /* beyond its time a call is answered in any case, or net hangs */
#define WATCH_INTERVAL_MS 10000

static void respawn_later(struct agent *agent);

static void lost(struct agent *agent, const char *why)
{
    struct uplink *uplink = agent->uplink;
    log_error("sliced-net: %s", why);
    loop_unwatch(agent->loop, uplink->child.socket);
    wire_free(&uplink->wire);
    child_stop(&uplink->child);
    uplink->child = CHILD_NONE;
    respawn_later(agent);
    for (unsigned call = 0; call < CALL_COUNT; call++) {
        if (!uplink->pending[call].id)
            continue;
        uplink->pending[call].id = 0;
        uplink->events->unanswered(agent, (enum controller_call)call);
    }
}

static void watch_calls(void *context)
{
    struct agent *agent = context;
    struct uplink *uplink = agent->uplink;
    uint64_t now = monotonic_ms();
    uplink->watch_timer = loop_timer(agent->loop, WATCH_INTERVAL_MS, watch_calls, agent);
    for (unsigned call = 0; call < CALL_COUNT; call++) {
        const struct pending *pending = &uplink->pending[call];
        if (pending->id && now - pending->since_ms > pending->timeout_ms + ANSWER_MARGIN_MS) {
            lost(agent, "it does not answer");
            return;
        }
    }
}

static void readable(void *context, int fd, short events);

/* A child that does not read must not hold up the loop: what there is no room for waits, and
 * watch_calls ends a child that never answers. */
static void flush(struct agent *agent)
{
    struct uplink *uplink = agent->uplink;
    struct err err;
    int result = wire_flush(&uplink->wire, &err);
    if (result < 0)
        log_warning("to sliced-net: %s", err.message); /* its end is seen when reading */
    loop_watch(agent->loop, uplink->child.socket, result == 0 ? POLLIN | POLLOUT : POLLIN, readable,
               agent);
}

static void readable(void *context, int fd, short events)
{
    struct agent *agent = context;
    struct uplink *uplink = agent->uplink;
    struct err err;
    json_t *message;
    (void)fd;
    if (events & POLLOUT)
        flush(agent);
    int result = wire_fill(&uplink->wire, &err);
    while (result >= 0 && uplink->child.pid &&
           (result = wire_take(&uplink->wire, &message, &err)) == 1) {
        uplink->events->message(agent, message);
        json_decref(message);
    }
    if (uplink->child.pid && (result < 0 || uplink->wire.closed))
        lost(agent, result < 0 ? err.message : "it ended");
}

bool uplink_send(struct agent *agent, json_t *message)
{
    struct err err;
    bool there = agent->uplink->child.pid != 0;
    bool sent = there && wire_queue(&agent->uplink->wire, message, &err) == 0;
    if (there && !sent)
        log_warning("to sliced-net: %s", err.message);
    else if (there && agent->uplink->wire.output_used > 0)
        flush(agent);
    json_decref(message);
    return sent;
}

void uplink_config(struct agent *agent)
{
    const struct identity *identity = &agent->identity;
    /* Before enrolment the operator's CA or pin; afterwards the CA that enrolment brought, too. */
    CLEANUP_FREE char *ca = xasprintf(
        "%s%s%s", identity->ca, identity->ca[0] && agent->conf.ca[0] ? "\n" : "", agent->conf.ca);
    uplink_send(agent,
                json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "type", "config", "urls",
                          conf_urls(&agent->conf), "ca", json_string_or_null(ca), "pin",
                          json_string_or_null(identity->ca[0] ? "" : agent->conf.pin), "key",
                          json_string_or_null(identity->key), "certificate",
                          json_string_or_null(identity->certificate), "node_id",
                          json_string_or_null(identity->node_id), "version", agent->version));
}

static void spawn(void *context)
{
    struct agent *agent = context;
    struct uplink *uplink = agent->uplink;
    CLEANUP_FREE char *path = xasprintf("%s/sliced-net", agent->options.libexec);
    const char *const argv[] = {"sliced-net", "session", NULL};
    struct err err;
    uplink->respawn_timer = 0;
    if (child_spawn(path, argv, NULL, 0, &uplink->child, &err) < 0) {
        log_error("%s", err.message);
        uplink->child = CHILD_NONE;
        respawn_later(agent);
        return;
    }
    wire_init(&uplink->wire, uplink->child.socket);
    loop_watch(agent->loop, uplink->child.socket, POLLIN, readable, agent);
    uplink_config(agent);
    uplink->events->spawned(agent);
}

static void respawn_later(struct agent *agent)
{
    struct uplink *uplink = agent->uplink;
    uint64_t delay = RESPAWN_FIRST_MS
                     << (uplink->respawn_failures < 8 ? uplink->respawn_failures : 8);
    uplink->respawn_failures++;
    if (!uplink->respawn_timer)
        uplink->respawn_timer =
            loop_timer(agent->loop, delay > RESPAWN_CAP_MS ? RESPAWN_CAP_MS : delay, spawn, agent);
}

void uplink_link_open(struct agent *agent, const struct link_events *events)
{
    struct uplink *uplink = agent->uplink;
    uplink->events = events;
    spawn(agent);
    watch_calls(agent);
}

void uplink_link_close(struct agent *agent)
{
    struct uplink *uplink = agent->uplink;
    if (!uplink->child.pid)
        return;
    loop_unwatch(agent->loop, uplink->child.socket);
    wire_free(&uplink->wire);
    child_stop(&uplink->child);
}
