/* Drives the session: sliced-net makes the calls that the state table asks for. */
#include "main_uplink.h"

#include "log.h"
#include "must.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define RESPAWN_FIRST_MS 500
#define RESPAWN_CAP_MS 30000
#define ANSWER_MARGIN_MS 30000 /* beyond its time a call is answered in any case, or net hangs */
#define WATCH_INTERVAL_MS 10000
#define RENEW_LEAST_SECONDS 10
#define DAY_SECONDS (24 * 3600)
#define TIME_MAX 253402300799 /* the end of the year 9999, and of X.509's times */
#define ENROL_ANEW_LEAST_MS (10 * 60 * 1000)

static void respawn_later(struct agent *agent);

enum session_state uplink_state(const struct agent *agent)
{
    return agent->uplink ? agent->uplink->session.state : SESSION_OFFLINE;
}

/* --- The session's actions ------------------------------------------------------------------------- */

struct timer_context {
    struct agent *agent;
    enum session_call call;
};

static struct timer_context timer_contexts[CALL_COUNT];

static void on_timer(void *context)
{
    struct timer_context *timer = context;
    timer->agent->uplink->pending[timer->call].timer = 0;
    uplink_input(timer->agent, &(struct session_input){.kind = INPUT_TIMER, .call = timer->call});
}

static void wait_for(struct agent *agent, enum session_call call, uint64_t delay_ms)
{
    struct pending *pending = &agent->uplink->pending[call];
    timer_contexts[call] = (struct timer_context){.agent = agent, .call = call};
    loop_cancel(agent->loop, pending->timer);
    pending->timer = loop_timer(agent->loop, delay_ms, on_timer, &timer_contexts[call]);
}

static void cancel(struct agent *agent, enum session_call call)
{
    struct pending *pending = &agent->uplink->pending[call];
    loop_cancel(agent->loop, pending->timer);
    pending->timer = 0;
    if (pending->id)
        uplink_send(agent, json_pack("{s:s, s:I}", "type", "cancel", "id", pending->id));
    pending->id = 0;
}

static void make_call(struct agent *agent, enum session_call call)
{
    struct uplink *uplink = agent->uplink;
    struct pending *pending = &uplink->pending[call];
    json_t *body = NULL, *query = NULL;
    int timeout_ms = (int)agent->options.call_seconds * 1000;
    if (!uplink->child.pid) { /* it has ended and comes back soon */
        uplink_input(agent, &(struct session_input){.kind = INPUT_ERROR, .call = call});
        return;
    }
    if (!uplink_body(agent, call, &body, &query, &timeout_ms)) {
        uplink_input(agent, &(struct session_input){.kind = INPUT_REPLY, .call = call});
        return;
    }
    pending->id = ++uplink->last_id;
    pending->since_ms = monotonic_ms();
    pending->timeout_ms = (uint64_t)timeout_ms;
    bool sent = uplink_send(
        agent, json_pack("{s:s, s:I, s:s, s:o, s:o, s:i}", "type", "call", "id", pending->id,
                         "call", session_call_name(call), "body", body ? body : json_null(),
                         "query", query ? query : json_null(), "timeout_ms", timeout_ms));
    if (!sent) {
        pending->id = 0;
        uplink_input(agent, &(struct session_input){.kind = INPUT_ERROR, .call = call});
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
    status_changed(agent);
}

void uplink_input(struct agent *agent, const struct session_input *input)
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

/* --- Messages of sliced-net ------------------------------------------------------------------------ */

bool uplink_enrol_anew(struct agent *agent)
{
    struct uplink *uplink = agent->uplink;
    uint64_t now = monotonic_ms();
    if (!uplink->certificate_end || wall_ms() / 1000 < uplink->certificate_end ||
        !agent->conf.token[0] || !agent->identity.csr[0] ||
        (uplink->enrolled_ms && now - uplink->enrolled_ms < ENROL_ANEW_LEAST_MS))
        return false;
    uplink->enrolled_ms = now;
    log_notice("the node's certificate has expired: it enrols anew, with the same key");
    identity_set(&agent->identity.certificate, ""); /* shown, it would be refused */
    uplink_config(agent);
    uplink_input(agent, &(struct session_input){.kind = INPUT_START, .has_token = true});
    return true;
}

static void start_session(struct agent *agent)
{
    agent->uplink->started = true;
    uplink_input(agent, &(struct session_input){.kind = INPUT_START,
                                                .has_identity = identity_enrolled(&agent->identity),
                                                .has_token = agent->conf.token[0] != '\0'});
}

static void on_key(struct agent *agent, const json_t *message)
{
    struct identity *identity = &agent->identity;
    struct err err;
    const char *key = json_string_value(json_object_get(message, "key"));
    const char *csr = json_string_value(json_object_get(message, "csr"));
    if (!csr || (!key && !identity->key[0])) {
        log_error("sliced-net sent no key");
        return;
    }
    if (key)
        identity_set(&identity->key, key);
    identity_set(&identity->csr, csr);
    if (identity_save(identity, &err) < 0) {
        problem_set(agent, "identity", &err);
        return;
    }
    uplink_config(agent);
    if (agent->uplink->renewing)
        uplink_input(agent, &(struct session_input){.kind = INPUT_CERTIFICATE_DUE});
    else if (!agent->uplink->started)
        start_session(agent);
}

static void renew(void *context)
{
    struct agent *agent = context;
    agent->uplink->renew_timer = 0;
    agent->uplink->renewing = true;
    uplink_send(agent, json_pack("{s:s}", "type", "csr"));
}

static void look_again(void *context)
{
    struct agent *agent = context;
    agent->uplink->renew_timer = 0;
    uplink_config(agent); /* its answer tells the certificate's end */
}

/* The certificate's end is known: renewal is due when a third of its time, or of what is usual for a
 * certificate that is in use already, is left. */
static void on_configured(struct agent *agent, const json_t *message)
{
    struct uplink *uplink = agent->uplink;
    const json_t *not_after = json_object_get(message, "not_after");
    const json_t *error = json_object_get(message, "error");
    const char *code = json_string_value(json_object_get(error, "code"));
    const char *text = json_string_value(json_object_get(error, "message"));
    struct err err;
    uplink->respawn_failures = 0;
    if (code && text) {
        err_set(&err, err_code_from_name(code), "%s", text);
        problem_set(agent, "controller", &err);
    }
    if (!json_is_integer(not_after) || json_integer_value(not_after) < 0 ||
        json_integer_value(not_after) > TIME_MAX)
        return;
    uplink->certificate_end = json_integer_value(not_after);
    CLEANUP_FREE char *issued_text = NULL;
    int64_t now = wall_ms() / 1000, end = json_integer_value(not_after), issued = now;
    must(store_get(agent->store, "certificate_issued", &issued_text, &err), &err);
    if (issued_text)
        issued = strtoll(issued_text, NULL, 10);
    /* One that was over when it was issued shows that the clock is wrong, not that it is due. */
    bool clock_wrong = issued_text && issued >= end && now >= end;
    if (clock_wrong)
        log_warning("the node's certificate had expired when it was issued: the clock is wrong");
    if (issued > now)
        issued = now;
    int64_t due = end - (end - issued) / 3;
    uint64_t delay_s =
        due > now + RENEW_LEAST_SECONDS ? (uint64_t)(due - now) : RENEW_LEAST_SECONDS;
    /* Looked at again each day: the clock may have been set. */
    bool later = delay_s > DAY_SECONDS || clock_wrong;
    loop_cancel(agent->loop, uplink->renew_timer);
    uplink->renew_timer = loop_timer(agent->loop, (later ? DAY_SECONDS : delay_s) * 1000,
                                     later ? look_again : renew, agent);
}

static void on_reply(struct agent *agent, const json_t *message)
{
    json_int_t id = json_integer_value(json_object_get(message, "id"));
    for (unsigned call = 0; call < CALL_COUNT; call++) {
        struct pending *pending = &agent->uplink->pending[call];
        if (id && pending->id == id) {
            pending->id = 0;
            uplink_reply(agent, (enum session_call)call, message,
                         monotonic_ms() - pending->since_ms);
            return;
        }
    }
}

static void on_message(struct agent *agent, const json_t *message)
{
    const char *type = json_string_value(json_object_get(message, "type"));
    if (type && strcmp(type, "reply") == 0)
        on_reply(agent, message);
    else if (type && strcmp(type, "key") == 0)
        on_key(agent, message);
    else if (type && strcmp(type, "configured") == 0)
        on_configured(agent, message);
    else
        log_warning("sliced-net sent a message of an unknown type");
}

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
        uplink_input(agent,
                     &(struct session_input){.kind = INPUT_ERROR, .call = (enum session_call)call});
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
        on_message(agent, message);
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

static json_t *text_or_null(const char *text)
{
    return text[0] ? json_string(text) : json_null();
}

void uplink_config(struct agent *agent)
{
    const struct identity *identity = &agent->identity;
    /* Before enrolment the operator's CA or pin; afterwards the CA that enrolment brought, too. */
    CLEANUP_FREE char *ca = xasprintf(
        "%s%s%s", identity->ca, identity->ca[0] && agent->conf.ca[0] ? "\n" : "", agent->conf.ca);
    uplink_send(agent, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "type", "config",
                                 "urls", conf_urls(&agent->conf), "ca", text_or_null(ca), "pin",
                                 text_or_null(identity->ca[0] ? "" : agent->conf.pin), "key",
                                 text_or_null(identity->key), "certificate",
                                 text_or_null(identity->certificate), "node_id",
                                 text_or_null(identity->node_id), "version", agent->version));
}

/* --- Its life --------------------------------------------------------------------------------------- */

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
    if (!agent->identity.key[0])
        uplink_send(agent, json_pack("{s:s}", "type", "keygen"));
    else if (!identity_enrolled(&agent->identity) && !agent->identity.csr[0])
        uplink_send(agent, json_pack("{s:s}", "type", "csr"));
    else if (!uplink->started)
        start_session(agent);
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
    spawn(agent);
    watch_calls(agent);
}

void uplink_close(struct agent *agent)
{
    if (!agent->uplink)
        return;
    if (agent->uplink->child.pid) {
        loop_unwatch(agent->loop, agent->uplink->child.socket);
        wire_free(&agent->uplink->wire);
        child_stop(&agent->uplink->child);
    }
    free(agent->uplink);
    agent->uplink = NULL;
}

void uplink_events(struct agent *agent)
{
    if (agent->uplink)
        uplink_input(agent, &(struct session_input){.kind = INPUT_EVENTS});
}

void uplink_drain(struct agent *agent)
{
    if (agent->uplink)
        uplink_input(
            agent, &(struct session_input){.kind = agent->draining ? INPUT_DRAIN : INPUT_UNDRAIN});
}
