/* What the two files of the uplink share. */
#ifndef SLICENODE_MAIN_UPLINK_H
#define SLICENODE_MAIN_UPLINK_H

#include "child.h"
#include "main.h"
#include "session.h"
#include "wire.h"

struct pending {
    json_int_t id; /* 0: none under way */
    uint64_t since_ms;
    uint64_t timeout_ms; /* what sliced-net was told */
    unsigned timer;      /* of the session */
};

struct uplink {
    struct session session;
    struct child child;
    struct wire wire;
    struct pending pending[CALL_COUNT];
    json_int_t last_id;
    unsigned poll_wait_seconds;
    unsigned respawn_timer;
    unsigned respawn_failures;
    unsigned renew_timer;
    unsigned watch_timer;
    bool started; /* the session has had its INPUT_START */
    bool renewing;
    bool waiting_told;    /* that enrolment waits for approval */
    bool registered_told; /* the milestone is on the console */
};

/* main_uplink.c: to sliced-net; `message` is taken over. false when it could not be sent. */
bool uplink_send(struct agent *agent, json_t *message);
void uplink_config(struct agent *agent);
void uplink_input(struct agent *agent, const struct session_input *input);

/* main_uplink_calls.c: a call's body and query; false when there is nothing to send. */
bool uplink_body(struct agent *agent, enum session_call call, json_t **body, json_t **query,
                 int *timeout_ms);
void uplink_reply(struct agent *agent, enum session_call call, const json_t *message,
                  uint64_t elapsed_ms);

#endif
