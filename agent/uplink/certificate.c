#include "uplink/certificate.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "node/agent.h"
#include "node/identity.h"
#include "node/parameters.h"
#include "node/problem.h"
#include "process/loop.h"
#include "store/must.h"
#include "store/store.h"
#include "uplink/link.h"
#include "uplink/session.h"

#include <stdlib.h>

#define RENEW_LEAST_SECONDS 10
#define DAY_SECONDS (24 * 3600)
#define TIME_MAX 253402300799 /* the end of the year 9999, and of X.509's times */
#define ENROL_ANEW_LEAST_MS (10 * 60 * 1000)

bool certificate_enrol_anew(struct agent *agent, struct session_input *input)
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
    *input = (struct session_input){.kind = INPUT_START, .has_token = true};
    return true;
}

static bool start_session(struct agent *agent, struct session_input *input)
{
    bool begins = !agent->uplink->started;
    agent->uplink->started = true;
    *input = (struct session_input){.kind = INPUT_START,
                                    .has_identity = identity_enrolled(&agent->identity),
                                    .has_token = agent->conf.token[0] != '\0'};
    return begins;
}

bool certificate_begin(struct agent *agent, struct session_input *input)
{
    const struct identity *identity = &agent->identity;
    if (identity->key[0] && (identity_enrolled(identity) || identity->csr[0]))
        return start_session(agent, input);
    uplink_send(agent, json_pack("{s:s}", "type", identity->key[0] ? "csr" : "keygen"));
    return false;
}

bool certificate_on_key(struct agent *agent, const json_t *message, struct session_input *input)
{
    struct identity *identity = &agent->identity;
    struct err err;
    const char *key = json_string_value(json_object_get(message, "key"));
    const char *csr = json_string_value(json_object_get(message, "csr"));
    if (!csr || (!key && !identity->key[0])) {
        log_error("sliced-net sent no key");
        return false;
    }
    if (key)
        identity_set(&identity->key, key);
    identity_set(&identity->csr, csr);
    if (identity_save(identity, &err) < 0) {
        problem_set(agent, "identity", &err);
        return false;
    }
    uplink_config(agent);
    if (!agent->uplink->renewing)
        return start_session(agent, input);
    *input = (struct session_input){.kind = INPUT_CERTIFICATE_DUE};
    return true;
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

/* The certificate's end is known: renewal is due when a third of its time, or of what is usual
 * for a certificate that is in use already, is left. */
void certificate_on_configured(struct agent *agent, const json_t *message)
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
