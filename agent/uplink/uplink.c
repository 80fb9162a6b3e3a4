/* Drives the session: sliced-net makes the calls that the state table asks for. */
#include "uplink/uplink.h"

#include "base/clock.h"
#include "base/ident.h"
#include "base/log.h"
#include "base/memory.h"
#include "node/agent.h"
#include "node/identity.h"
#include "node/parameters.h"
#include "node/problem.h"
#include "node/status.h"
#include "process/call.h"
#include "process/child.h"
#include "process/loop.h"
#include "uplink/calls.h"
#include "uplink/certificate.h"
#include "uplink/link.h"
#include "uplink/registering.h"
#include "uplink/session.h"

#include <stdlib.h>
#include <string.h>

/* --- The session's actions -------------------------------------------------------------------- */

static void give(struct agent *agent, const struct session_input *input);

static void on_timer(void *context)
{
    struct pending *pending = context;
    pending->timer = 0;
    give(pending->agent, &(struct session_input){.kind = INPUT_TIMER, .call = pending->call});
}

static void wait_for(struct agent *agent, enum controller_call call, uint64_t delay_ms)
{
    struct pending *pending = &agent->uplink->pending[call];
    pending->agent = agent;
    pending->call = call;
    loop_cancel(agent->loop, pending->timer);
    pending->timer = loop_timer(agent->loop, delay_ms, on_timer, pending);
}

static void cancel(struct agent *agent, enum controller_call call)
{
    struct pending *pending = &agent->uplink->pending[call];
    loop_cancel(agent->loop, pending->timer);
    pending->timer = 0;
    if (pending->id)
        uplink_send(agent, json_pack("{s:s, s:I}", "type", "cancel", "id", pending->id));
    pending->id = 0;
}

static void make_call(struct agent *agent, enum controller_call call)
{
    struct uplink *uplink = agent->uplink;
    struct pending *pending = &uplink->pending[call];
    json_t *body = NULL, *query = NULL;
    int timeout_ms = (int)agent->options.call_seconds * 1000;
    if (!uplink->child.pid) { /* it has ended and comes back soon */
        give(agent, &(struct session_input){.kind = INPUT_ERROR, .call = call});
        return;
    }
    if (!uplink_body(agent, call, &body, &query, &timeout_ms)) {
        enum session_input_kind kind = call == CALL_EVENTS ? INPUT_REPLY : INPUT_ERROR;
        give(agent, &(struct session_input){.kind = kind, .call = call, .final = true});
        return;
    }
    pending->id = ++uplink->last_id;
    pending->since_ms = monotonic_ms();
    pending->timeout_ms = (uint64_t)timeout_ms;
    bool sent = uplink_send(
        agent, json_pack("{s:s, s:I, s:s, s:o, s:o, s:i}", "type", "call", "id", pending->id,
                         "call", controller_call_name(call), "body", body ? body : json_null(),
                         "query", query ? query : json_null(), "timeout_ms", timeout_ms));
    if (!sent) {
        pending->id = 0;
        give(agent, &(struct session_input){.kind = INPUT_ERROR, .call = call});
    }
}

static void tell_state(struct agent *agent)
{
    struct uplink *uplink = agent->uplink;
    bool ready =
        uplink->session.state == SESSION_READY || uplink->session.state == SESSION_DRAINING;
    log_info("session: %s", session_state_name(uplink->session.state));
    if (ready && !uplink->registered_told)
        log_notice("registered node=%s controller=%s", agent->identity.node_id,
                   agent->conf.controller);
    if (uplink->session.state == SESSION_REGISTERING && uplink->registered_told)
        log_warning("the controller has to be told anew what this node is");
    uplink->registered_told = ready;
    status_session(agent, session_state_name(uplink->session.state));
}

static void give(struct agent *agent, const struct session_input *input)
{
    struct session_action actions[SESSION_ACTIONS_MAX];
    size_t count = session_input(&agent->uplink->session, input, actions);
    for (size_t i = 0; i < count; i++) {
        switch (actions[i].kind) {
        case ACTION_CALL:
            make_call(agent, actions[i].call);
            break;
        case ACTION_WAIT:
            wait_for(agent, actions[i].call, actions[i].delay_ms);
            break;
        case ACTION_CANCEL:
            cancel(agent, actions[i].call);
            break;
        case ACTION_STATE:
            tell_state(agent);
            break;
        }
    }
}

/* --- Messages of sliced-net ------------------------------------------------------------------- */

static void on_reply(struct agent *agent, const json_t *message)
{
    json_int_t id = json_integer_value(json_object_get(message, "id"));
    for (unsigned call = 0; call < CALL_COUNT; call++) {
        struct pending *pending = &agent->uplink->pending[call];
        if (id && pending->id == id) {
            pending->id = 0;
            const struct session_input input = uplink_reply(
                agent, (enum controller_call)call, message, monotonic_ms() - pending->since_ms);
            give(agent, &input);
            return;
        }
    }
}

static void on_message(struct agent *agent, const json_t *message)
{
    const char *type = json_string_value(json_object_get(message, "type"));
    struct session_input input;
    if (type && strcmp(type, "reply") == 0) {
        on_reply(agent, message);
    } else if (type && strcmp(type, "key") == 0) {
        if (certificate_on_key(agent, message, &input))
            give(agent, &input);
    } else if (type && strcmp(type, "configured") == 0) {
        certificate_on_configured(agent, message);
    } else {
        log_warning("sliced-net sent a message of an unknown type");
    }
}

/* --- Its life --------------------------------------------------------------------------------- */

static void on_spawned(struct agent *agent)
{
    struct session_input input;
    if (certificate_begin(agent, &input))
        give(agent, &input);
}

static void on_unanswered(struct agent *agent, enum controller_call call)
{
    give(agent, &(struct session_input){.kind = INPUT_ERROR, .call = call});
}

static const struct link_events events = {
    .spawned = on_spawned, .message = on_message, .unanswered = on_unanswered};

void uplink_open(struct agent *agent)
{
    struct uplink *uplink = xcalloc(1, sizeof(*uplink));
    struct identity *identity = &agent->identity;
    agent->uplink = uplink;
    uplink->child = CHILD_NONE;
    random_bytes(&uplink->session.random, sizeof(uplink->session.random));
    uplink->session.random |= 1;
    uplink->session.draining = agent->draining;
    if (identity_enrolled(identity) && agent->conf.token[0] && agent->conf.controller[0] &&
        strcmp(identity->controller, agent->conf.controller) != 0) {
        log_notice("the controller is %s now, it was %s: the node enrols anew",
                   agent->conf.controller, identity->controller);
        identity_forget(identity);
    }
    if (!conf_allows_session(agent))
        return;
    uplink_link_open(agent, &events);
}

void uplink_close(struct agent *agent)
{
    if (!agent->uplink)
        return;
    uplink_link_close(agent);
    registering_drop(agent);
    free(agent->uplink);
    agent->uplink = NULL;
}

void uplink_events(struct agent *agent)
{
    if (agent->uplink)
        give(agent, &(struct session_input){.kind = INPUT_EVENTS});
}

void uplink_register(struct agent *agent)
{
    if (agent->uplink)
        give(agent, &(struct session_input){.kind = INPUT_REGISTER});
}

void uplink_drain(struct agent *agent)
{
    if (agent->uplink)
        give(agent, &(struct session_input){.kind = agent->draining ? INPUT_DRAIN : INPUT_UNDRAIN});
}
