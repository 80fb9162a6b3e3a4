#include "uplink/registering.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"
#include "node/registration.h"
#include "uplink/link.h"

/* Parts that are older are made anew when one of them fails: by then much else may be so. A link
 * that takes ten times as long is told older news, and events bring the rest. */
#define FRESH_MS 600000

bool registering_body(struct agent *agent, json_t **body)
{
    struct uplink *uplink = agent->uplink;
    struct err err;
    if (uplink->registration.count == 0) {
        uplink->registration_at = 0;
        uplink->registration_ms = monotonic_ms();
        if (registration_make(agent, &uplink->registration, &err) < 0) {
            problem_set(agent, REGISTRATION_PROBLEM, &err);
            return false;
        }
    }
    *body = registration_part(&uplink->registration, uplink->registration_at);
    return true;
}

void registering_drop(struct agent *agent)
{
    registration_free(&agent->uplink->registration);
}

int registering_answered(struct agent *agent, int status, struct err *err)
{
    struct uplink *uplink = agent->uplink;
    size_t at = uplink->registration_at + 1, count = uplink->registration.count;
    bool last = at >= count;
    if (last == (status == 200)) {
        uplink->registration_at = at;
        if (last && count > 1)
            log_info("registered in %zu parts", count);
        if (last)
            registering_drop(agent);
        return last ? 0 : 1;
    }
    registering_drop(agent);
    return err_set(err, ERR_CONTROLLER_UNREACHABLE,
                   "the controller answers part %zu of %zu of the registration with HTTP status "
                   "%d: it does not take a registration in parts",
                   at, count, status);
}

/* What was refused is made anew, since it may be that the controller lacks the parts before. A
 * part that was lost on its way is sent again: a bad link must not lead back to the first one. */
void registering_failed(struct agent *agent, int status)
{
    const struct uplink *uplink = agent->uplink;
    bool refused = status >= 400 && status < 500 && status != 408 && status != 429;
    if (refused || monotonic_ms() - uplink->registration_ms > FRESH_MS)
        registering_drop(agent);
}
