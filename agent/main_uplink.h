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
    unsigned events_limit;   /* of a batch, while an event that is refused is looked for; else 0 */
    json_int_t refused_seq;  /* the last event that another one was put in the place of */
    int64_t certificate_end; /* seconds of the wall clock; 0: not known */
    uint64_t enrolled_ms;    /* monotonic; when the node enrolled anew for that; 0: never */
    bool waiting_told;       /* that enrolment waits for approval */
    bool registered_told;    /* the milestone is on the console */
};

/* main_uplink.c: to sliced-net; `message` is taken over. false when it could not be sent. */
bool uplink_send(struct agent *agent, json_t *message);
void uplink_config(struct agent *agent);
void uplink_input(struct agent *agent, const struct session_input *input);
/* When the node's certificate has expired (it was away for long) it needs a new one, which its token
 * and key bring: true when it asks for that. */
bool uplink_enrol_anew(struct agent *agent);

/* main_uplink_events.c: the next batch; false when there is none. */
bool uplink_events_body(struct agent *agent, json_t **body);
/* The controller refuses the batch (400): looks for the event that it does not take. true when it is
 * to be sent again at once, another way. */
bool uplink_events_refused(struct agent *agent, const char *message);
/* Sets whether more events wait; -1 when the controller has taken none. */
int uplink_events_acknowledged(struct agent *agent, const json_t *body, bool *more);

/* main_uplink_calls.c: a call's body and query; false when there is nothing to send. */
bool uplink_body(struct agent *agent, enum session_call call, json_t **body, json_t **query,
                 int *timeout_ms);
void uplink_reply(struct agent *agent, enum session_call call, const json_t *message,
                  uint64_t elapsed_ms);

#endif
