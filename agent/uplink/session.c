#include "uplink/session.h"

#include "process/call.h"

#define BACKOFF_FIRST_MS 1000
#define BACKOFF_EARLY_CAP_MS 15000 /* of the first tries: a controller that restarts is soon back */
#define BACKOFF_CAP_MS 45000       /* thus all are back in a minute, however long it was away */
#define BACKOFF_EARLY_TRIES 6
#define BACKOFF_LEAST_MS 200
#define REFUSED_LEAST_MS 60000 /* an operator has to act: the node asks slowly */
#define POLL_LEAST_MS 1000     /* between two polls that bring nothing */
#define LOST_AFTER_FAILURES 6  /* of the poll in a row: the node registers again */
#define HEARTBEAT_USUAL_MS 30000

struct output {
    struct session_action *actions;
    size_t count;
};

const char *session_state_name(enum session_state state)
{
    static const char *const names[] = {"offline", "enrolling", "registering", "ready", "draining"};
    return names[state];
}

static void add(struct output *output, enum session_action_kind kind, enum controller_call call,
                uint64_t delay_ms)
{
    if (output->count < SESSION_ACTIONS_MAX)
        output->actions[output->count++] =
            (struct session_action){.kind = kind, .call = call, .delay_ms = delay_ms};
}

/* xorshift64: chance enough to spread nodes over time. */
static uint64_t chance(struct session *session, uint64_t below)
{
    session->random ^= session->random << 13;
    session->random ^= session->random >> 7;
    session->random ^= session->random << 17;
    return below ? session->random % below : 0;
}

/* Full jitter: anything up to a bound that doubles with each failure, so that thousands of nodes
 * that lost the controller at one moment do not return at one moment. */
static uint64_t backoff(struct session *session, unsigned failures)
{
    uint64_t cap = failures <= BACKOFF_EARLY_TRIES ? BACKOFF_EARLY_CAP_MS : BACKOFF_CAP_MS;
    uint64_t bound = BACKOFF_FIRST_MS;
    for (unsigned i = 1; i < failures && bound < cap; i++)
        bound *= 2;
    if (bound > cap)
        bound = cap;
    return BACKOFF_LEAST_MS + chance(session, bound);
}

static void call(struct session *session, struct output *output, enum controller_call which)
{
    if (session->busy[which])
        return;
    session->busy[which] = true;
    session->waiting[which] = false;
    add(output, ACTION_CALL, which, 0);
}

static void wait_for(struct session *session, struct output *output, enum controller_call which,
                     uint64_t delay_ms)
{
    session->waiting[which] = true;
    add(output, ACTION_WAIT, which, delay_ms);
}

static void set_state(struct session *session, struct output *output, enum session_state state)
{
    if (state == SESSION_READY && session->draining)
        state = SESSION_DRAINING;
    if (session->state == state)
        return;
    session->state = state;
    add(output, ACTION_STATE, CALL_COUNT, 0);
}

static bool is_ready(const struct session *session)
{
    return session->state == SESSION_READY || session->state == SESSION_DRAINING;
}

static void cancel_all(struct session *session, struct output *output)
{
    for (unsigned which = 0; which < CALL_COUNT; which++) {
        if (session->busy[which] || session->waiting[which])
            add(output, ACTION_CANCEL, (enum controller_call)which, 0);
        session->busy[which] = session->waiting[which] = false;
    }
}

static void start(struct session *session, struct output *output, const struct session_input *input)
{
    session->has_token = input->has_token;
    cancel_all(session, output);
    if (input->has_identity) {
        set_state(session, output, SESSION_REGISTERING);
        call(session, output, CALL_REGISTER);
    } else if (input->has_token) {
        set_state(session, output, SESSION_ENROLLING);
        call(session, output, CALL_ENROLL);
    } else {
        set_state(session, output, SESSION_OFFLINE);
    }
}

static void reply(struct session *session, struct output *output, const struct session_input *input)
{
    session->failures[input->call] = 0;
    switch (input->call) {
    case CALL_ENROLL:
        set_state(session, output, SESSION_REGISTERING);
        call(session, output, CALL_REGISTER);
        break;
    case CALL_REGISTER:
        session->heartbeat_ms = input->heartbeat_ms ? input->heartbeat_ms : HEARTBEAT_USUAL_MS;
        set_state(session, output, SESSION_READY);
        call(session, output, CALL_REQUESTS);
        call(session, output, CALL_STATUS);
        session->events_waiting |= input->more;
        if (session->events_waiting)
            call(session, output, CALL_EVENTS);
        break;
    case CALL_REQUESTS:
        if (!is_ready(session))
            break;
        /* A controller that does not hold the poll must not be asked in a tight loop. */
        if (!input->more && input->elapsed_ms < POLL_LEAST_MS)
            wait_for(session, output, CALL_REQUESTS, POLL_LEAST_MS);
        else
            call(session, output, CALL_REQUESTS);
        break;
    case CALL_EVENTS:
        session->events_waiting = input->more;
        if (is_ready(session) && input->more)
            call(session, output, CALL_EVENTS);
        break;
    case CALL_STATUS:
        if (is_ready(session))
            wait_for(session, output, CALL_STATUS,
                     session->heartbeat_ms * 9 / 10 + chance(session, session->heartbeat_ms / 10));
        break;
    case CALL_CERTIFICATE:
    case CALL_COUNT:
        break;
    }
}

static void register_again(struct session *session, struct output *output)
{
    cancel_all(session, output);
    set_state(session, output, SESSION_REGISTERING);
    wait_for(session, output, CALL_REGISTER, backoff(session, 1));
}

static void error(struct session *session, struct output *output, const struct session_input *input)
{
    enum controller_call which = input->call;
    unsigned failures = ++session->failures[which];
    bool stranger = input->status == 404 || input->status == 409;
    uint64_t delay = input->retry_after_ms > 0 ? input->retry_after_ms : backoff(session, failures);
    if (which == CALL_REGISTER && input->status == 404 && session->has_token) {
        set_state(session, output, SESSION_ENROLLING);
        wait_for(session, output, CALL_ENROLL, delay);
        return;
    }
    if (which == CALL_ENROLL || which == CALL_REGISTER) {
        if (input->final)
            delay = REFUSED_LEAST_MS + chance(session, REFUSED_LEAST_MS / 2);
        wait_for(session, output, which, delay);
        return;
    }
    if (!is_ready(session))
        return;
    if (which != CALL_CERTIFICATE &&
        (stranger || (which == CALL_REQUESTS && failures >= LOST_AFTER_FAILURES))) {
        session->failures[CALL_REQUESTS] = 0;
        register_again(session, output);
        return;
    }
    if (which == CALL_STATUS && delay > session->heartbeat_ms)
        delay = session->heartbeat_ms;
    wait_for(session, output, which, delay);
}

size_t session_input(struct session *session, const struct session_input *input,
                     struct session_action actions[static SESSION_ACTIONS_MAX])
{
    struct output output = {.actions = actions};
    switch (input->kind) {
    case INPUT_START:
        start(session, &output, input);
        break;
    case INPUT_REPLY:
        session->busy[input->call] = false;
        reply(session, &output, input);
        break;
    case INPUT_CONTINUE:
        session->busy[input->call] = false;
        session->failures[input->call] = 0;
        call(session, &output, input->call);
        break;
    case INPUT_REGISTER:
        if (is_ready(session)) {
            cancel_all(session, &output);
            set_state(session, &output, SESSION_REGISTERING);
            call(session, &output, CALL_REGISTER);
        }
        break;
    case INPUT_WAITING:
        session->busy[CALL_ENROLL] = false;
        session->failures[CALL_ENROLL] = 0;
        wait_for(session, &output, CALL_ENROLL, input->retry_after_ms);
        break;
    case INPUT_ERROR:
        session->busy[input->call] = false;
        error(session, &output, input);
        break;
    case INPUT_TIMER:
        session->waiting[input->call] = false;
        call(session, &output, input->call);
        break;
    case INPUT_EVENTS:
        session->events_waiting = true;
        if (is_ready(session) && !session->waiting[CALL_EVENTS])
            call(session, &output, CALL_EVENTS);
        break;
    case INPUT_CERTIFICATE_DUE:
        if (is_ready(session) && !session->waiting[CALL_CERTIFICATE])
            call(session, &output, CALL_CERTIFICATE);
        break;
    case INPUT_DRAIN:
    case INPUT_UNDRAIN:
        session->draining = input->kind == INPUT_DRAIN;
        if (is_ready(session)) {
            set_state(session, &output, SESSION_READY);
            call(session, &output, CALL_STATUS);
        }
        break;
    }
    return output.count;
}
