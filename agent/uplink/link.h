/* The link to sliced-net, and what the files of the uplink share. What it has to tell goes to
 * the functions that it was opened with. */
#ifndef SLICENODE_UPLINK_LINK_H
#define SLICENODE_UPLINK_LINK_H

#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"
#include "node/registration.h"
#include "process/call.h"
#include "process/child.h"
#include "process/wire.h"
#include "uplink/session.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* What comes by the link; all are there. */
struct link_events {
    /* It has been started, and has its configuration. */
    void (*spawned)(struct agent *agent);
    void (*message)(struct agent *agent, const json_t *message);
    /* The call that was under way gets no answer: sliced-net has ended. */
    void (*unanswered)(struct agent *agent, enum controller_call call);
};

struct pending {
    json_int_t id; /* 0: none under way */
    uint64_t since_ms;
    uint64_t timeout_ms; /* what sliced-net was told */
    unsigned timer;      /* of the session */
    struct agent *agent; /* for the timer, with the call that it is of */
    enum controller_call call;
};

struct uplink {
    const struct link_events *events;
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
    struct registration registration; /* under way; no parts: none */
    size_t registration_at;           /* the part that is next, or under way */
    uint64_t registration_ms;         /* monotonic; when it was made */
    unsigned events_limit;   /* of a batch, while an event that is refused is looked for; else 0 */
    json_int_t refused_seq;  /* the last event that another one was put in the place of */
    int64_t certificate_end; /* seconds of the wall clock; 0: not known */
    uint64_t enrolled_ms;    /* monotonic; when the node enrolled anew for that; 0: never */
    bool waiting_told;       /* that enrolment waits for approval */
    bool registered_told;    /* the milestone is on the console */
};

void uplink_link_open(struct agent *agent, const struct link_events *events);
void uplink_link_close(struct agent *agent);
/* To sliced-net; `message` is taken over. false when it could not be sent. */
bool uplink_send(struct agent *agent, json_t *message);
/* Tells it where the controller is and who the node is. */
void uplink_config(struct agent *agent);

#endif
