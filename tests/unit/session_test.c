/* session: what to call and when. */
#include "unit.h"
#include "uplink/session.h"

#include <stdio.h>

struct trial {
    struct session session;
    struct session_action actions[SESSION_ACTIONS_MAX];
    size_t count;
};

static void give(struct trial *trial, struct session_input input)
{
    trial->count = session_input(&trial->session, &input, trial->actions);
}

#define GIVE(trial, ...) give(trial, (struct session_input){.kind = __VA_ARGS__})

static const struct session_action *find(const struct trial *trial, enum session_action_kind kind,
                                         enum controller_call call)
{
    for (size_t i = 0; i < trial->count; i++)
        if (trial->actions[i].kind == kind && trial->actions[i].call == call)
            return &trial->actions[i];
    return NULL;
}

static bool calls(const struct trial *trial, enum controller_call call)
{
    return find(trial, ACTION_CALL, call);
}

/* How long the session wants to wait for `call`, or -1. */
static int64_t waits(const struct trial *trial, enum controller_call call)
{
    const struct session_action *action = find(trial, ACTION_WAIT, call);

    return action ? (int64_t)action->delay_ms : -1;
}

static struct trial ready(void)
{
    struct trial trial = {.session.random = 1};

    GIVE(&trial, INPUT_START, .has_identity = true);
    GIVE(&trial, INPUT_REPLY, .call = CALL_REGISTER, .heartbeat_ms = 10000);
    return trial;
}

TEST(session_needs_identity_or_token)
{
    struct trial trial = {.session.random = 1};

    GIVE(&trial, INPUT_START, .has_identity = false);
    CHECK(trial.session.state == SESSION_OFFLINE && trial.count == 0);
    GIVE(&trial, INPUT_START, .has_token = true);
    CHECK(trial.session.state == SESSION_ENROLLING && calls(&trial, CALL_ENROLL));
    CHECK(!calls(&trial, CALL_REGISTER));
    trial = (struct trial){.session.random = 1};
    GIVE(&trial, INPUT_START, .has_identity = true, .has_token = true);
    CHECK(trial.session.state == SESSION_REGISTERING && calls(&trial, CALL_REGISTER));
}

TEST(session_registers_part_by_part)
{
    struct trial trial = {.session.random = 1};

    GIVE(&trial, INPUT_START, .has_identity = true);
    for (int part = 0; part < 5; part++) {
        GIVE(&trial, INPUT_CONTINUE, .call = CALL_REGISTER);
        CHECK(trial.session.state == SESSION_REGISTERING && calls(&trial, CALL_REGISTER));
        CHECK_NUMBER(1, trial.count);
    }
    /* A part that is refused as one too many (409) is asked about soon, not as an operator is. */
    GIVE(&trial, INPUT_ERROR, .call = CALL_REGISTER, .status = 409);
    CHECK(trial.session.state == SESSION_REGISTERING && waits(&trial, CALL_REGISTER) < 2000);
    GIVE(&trial, INPUT_REPLY, .call = CALL_REGISTER, .heartbeat_ms = 10000);
    CHECK(trial.session.state == SESSION_READY);
    GIVE(&trial, INPUT_REGISTER);
    CHECK(trial.session.state == SESSION_REGISTERING && calls(&trial, CALL_REGISTER));
    CHECK(find(&trial, ACTION_CANCEL, CALL_REQUESTS));
    GIVE(&trial, INPUT_REGISTER);
    CHECK_NUMBER(0, trial.count);
}

TEST(session_from_enrolment_to_ready)
{
    struct trial trial = {.session.random = 1};

    GIVE(&trial, INPUT_START, .has_token = true);
    GIVE(&trial, INPUT_WAITING, .retry_after_ms = 5000);
    CHECK_NUMBER(5000, waits(&trial, CALL_ENROLL));
    GIVE(&trial, INPUT_TIMER, .call = CALL_ENROLL);
    CHECK(calls(&trial, CALL_ENROLL));
    GIVE(&trial, INPUT_REPLY, .call = CALL_ENROLL);
    CHECK(trial.session.state == SESSION_REGISTERING && calls(&trial, CALL_REGISTER));
    GIVE(&trial, INPUT_EVENTS);
    CHECK_NUMBER(0, trial.count);
    GIVE(&trial, INPUT_REPLY, .call = CALL_REGISTER, .heartbeat_ms = 10000);
    CHECK(trial.session.state == SESSION_READY && calls(&trial, CALL_REQUESTS));
    CHECK(calls(&trial, CALL_STATUS) && calls(&trial, CALL_EVENTS));
}

TEST(session_refused_enrolment_is_asked_slowly)
{
    struct trial trial = {.session.random = 1};

    GIVE(&trial, INPUT_START, .has_token = true);
    GIVE(&trial, INPUT_ERROR, .call = CALL_ENROLL, .status = 403, .final = true);
    CHECK(waits(&trial, CALL_ENROLL) >= 60000 && waits(&trial, CALL_ENROLL) <= 90000);
    CHECK(trial.session.state == SESSION_ENROLLING);
}

TEST(session_polls_without_a_tight_loop)
{
    struct trial trial = ready();

    GIVE(&trial, INPUT_REPLY, .call = CALL_REQUESTS, .elapsed_ms = 5);
    CHECK(!calls(&trial, CALL_REQUESTS) && waits(&trial, CALL_REQUESTS) == 1000);
    GIVE(&trial, INPUT_TIMER, .call = CALL_REQUESTS);
    CHECK(calls(&trial, CALL_REQUESTS));
    GIVE(&trial, INPUT_REPLY, .call = CALL_REQUESTS, .elapsed_ms = 5, .more = true);
    CHECK(calls(&trial, CALL_REQUESTS));
    GIVE(&trial, INPUT_REPLY, .call = CALL_REQUESTS, .elapsed_ms = 30000);
    CHECK(calls(&trial, CALL_REQUESTS));
}

TEST(session_heartbeat_has_jitter_below_its_period)
{
    struct trial trial = ready();

    for (int i = 0; i < 100; i++) {
        GIVE(&trial, INPUT_REPLY, .call = CALL_STATUS);
        CHECK(waits(&trial, CALL_STATUS) >= 9000 && waits(&trial, CALL_STATUS) <= 10000);
        GIVE(&trial, INPUT_TIMER, .call = CALL_STATUS);
    }
}

TEST(session_sends_events_until_none_wait)
{
    struct trial trial = ready();

    GIVE(&trial, INPUT_EVENTS);
    CHECK(calls(&trial, CALL_EVENTS));
    GIVE(&trial, INPUT_EVENTS);
    CHECK(!calls(&trial, CALL_EVENTS)); /* one at a time */
    GIVE(&trial, INPUT_REPLY, .call = CALL_EVENTS, .more = true);
    CHECK(calls(&trial, CALL_EVENTS));
    GIVE(&trial, INPUT_REPLY, .call = CALL_EVENTS);
    CHECK_NUMBER(0, trial.count);
    GIVE(&trial, INPUT_EVENTS);
    GIVE(&trial, INPUT_ERROR, .call = CALL_EVENTS);
    CHECK(waits(&trial, CALL_EVENTS) > 0);
    GIVE(&trial, INPUT_EVENTS);
    CHECK_NUMBER(0, trial.count); /* new events do not break the back-off */
    GIVE(&trial, INPUT_TIMER, .call = CALL_EVENTS);
    CHECK(calls(&trial, CALL_EVENTS));
}

TEST(session_back_off_grows_and_is_bounded)
{
    struct trial trial = {.session.random = 12345};
    int64_t longest_early = 0, longest = 0;

    GIVE(&trial, INPUT_START, .has_identity = true);
    for (int i = 0; i < 500; i++) {
        GIVE(&trial, INPUT_ERROR, .call = CALL_REGISTER);
        int64_t delay = waits(&trial, CALL_REGISTER);
        CHECK(delay >= 200 && delay <= 45200);
        if (i < 3 && delay > longest_early)
            longest_early = delay;
        if (delay > longest)
            longest = delay;
        GIVE(&trial, INPUT_TIMER, .call = CALL_REGISTER);
        CHECK(calls(&trial, CALL_REGISTER));
    }
    CHECK(longest_early <= 4200 && longest > 30000);
    GIVE(&trial, INPUT_ERROR, .call = CALL_REGISTER, .retry_after_ms = 77000);
    CHECK_NUMBER(77000, waits(&trial, CALL_REGISTER));
}

TEST(session_registers_again_when_it_is_forgotten)
{
    struct trial trial = ready();

    GIVE(&trial, INPUT_ERROR, .call = CALL_STATUS, .status = 404);
    CHECK(trial.session.state == SESSION_REGISTERING && waits(&trial, CALL_REGISTER) >= 0);
    CHECK(find(&trial, ACTION_CANCEL, CALL_REQUESTS));
    trial = ready();
    for (int i = 0; i < 5; i++) {
        GIVE(&trial, INPUT_ERROR, .call = CALL_REQUESTS);
        CHECK(trial.session.state == SESSION_READY && waits(&trial, CALL_REQUESTS) >= 0);
        GIVE(&trial, INPUT_TIMER, .call = CALL_REQUESTS);
    }
    GIVE(&trial, INPUT_ERROR, .call = CALL_REQUESTS);
    CHECK(trial.session.state == SESSION_REGISTERING);
    /* A node that the controller does not know any more enrols again if it may. */
    trial = (struct trial){.session.random = 1};
    GIVE(&trial, INPUT_START, .has_identity = true, .has_token = true);
    GIVE(&trial, INPUT_ERROR, .call = CALL_REGISTER, .status = 404);
    CHECK(trial.session.state == SESSION_ENROLLING && waits(&trial, CALL_ENROLL) >= 0);
}

TEST(session_drains)
{
    struct trial trial = ready();

    GIVE(&trial, INPUT_REPLY, .call = CALL_STATUS);
    GIVE(&trial, INPUT_DRAIN);
    CHECK(trial.session.state == SESSION_DRAINING && calls(&trial, CALL_STATUS));
    GIVE(&trial, INPUT_EVENTS);
    CHECK(calls(&trial, CALL_EVENTS));
    GIVE(&trial, INPUT_UNDRAIN);
    CHECK(trial.session.state == SESSION_READY);
    trial = (struct trial){.session.random = 1};
    GIVE(&trial, INPUT_DRAIN);
    GIVE(&trial, INPUT_START, .has_identity = true);
    GIVE(&trial, INPUT_REPLY, .call = CALL_REGISTER);
    CHECK(trial.session.state == SESSION_DRAINING);
}

TEST(session_never_makes_a_call_twice_or_too_many_actions)
{
    struct trial trial = {.session.random = 99};
    uint64_t chance = 7;
    bool under_way[CALL_COUNT] = {false};

    for (int i = 0; i < 200000; i++) {
        chance = chance * 6364136223846793005u + 1442695040888963407u;
        enum session_input_kind kind =
            (enum session_input_kind)((chance >> 33) % (INPUT_UNDRAIN + 1));
        enum controller_call call = (enum controller_call)((chance >> 40) % CALL_COUNT);

        /* Replies and errors come only to calls that were made, timers only where one runs. */
        if ((kind == INPUT_REPLY || kind == INPUT_ERROR) && !under_way[call])
            continue;
        if (kind == INPUT_WAITING && !under_way[CALL_ENROLL])
            continue;
        if (kind == INPUT_CONTINUE && (call != CALL_REGISTER || !under_way[call]))
            continue;
        if (kind == INPUT_TIMER && !trial.session.waiting[call])
            continue;
        if (kind == INPUT_REPLY || kind == INPUT_ERROR || kind == INPUT_CONTINUE)
            under_way[call] = false;
        if (kind == INPUT_WAITING)
            under_way[CALL_ENROLL] = false;
        GIVE(&trial, kind, .call = call, .has_identity = chance >> 50 & 1,
             .has_token = chance >> 51 & 1, .status = chance >> 52 & 1 ? 404 : 0,
             .more = chance >> 53 & 1, .retry_after_ms = 1);
        CHECK(trial.count < SESSION_ACTIONS_MAX);
        for (size_t k = 0; k < trial.count; k++) {
            enum controller_call which = trial.actions[k].call;
            if (trial.actions[k].kind == ACTION_CANCEL)
                under_way[which] = false;
            if (trial.actions[k].kind == ACTION_CALL && CHECK(!under_way[which]))
                under_way[which] = true;
        }
    }
}
