/* The session with the controller as a state table: what to call and when, from what came back.
 * Pure: time, chance and the network are its caller's.
 *
 *     offline      nothing can be done: no controller, or neither identity nor token
 *     enrolling    asks for an identity with the token
 *     registering  tells the controller what the node is, until it is taken
 *     ready        long poll, events and heartbeat run side by side
 *     draining     as ready, but the node takes no new work
 */
#ifndef SLICENODE_UPLINK_SESSION_H
#define SLICENODE_UPLINK_SESSION_H

#include "process/call.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum session_state {
    SESSION_OFFLINE,
    SESSION_ENROLLING,
    SESSION_REGISTERING,
    SESSION_READY,
    SESSION_DRAINING
};

enum session_input_kind {
    INPUT_START,           /* the node has a controller; what else, the flags say */
    INPUT_REPLY,           /* `call` succeeded */
    INPUT_CONTINUE,        /* `call` has been taken, and is to be made again with what follows */
    INPUT_WAITING,         /* enrolment waits for an operator: again after `retry_after_ms` */
    INPUT_ERROR,           /* `call` failed with the HTTP `status` (0: none came) */
    INPUT_TIMER,           /* the time that ACTION_WAIT asked for has passed */
    INPUT_EVENTS,          /* events have been added */
    INPUT_REGISTER,        /* the controller is to be told anew what the node is */
    INPUT_CERTIFICATE_DUE, /* the certificate should be renewed */
    INPUT_DRAIN,
    INPUT_UNDRAIN
};

struct session_input {
    enum session_input_kind kind;
    enum controller_call call;
    bool has_identity; /* of INPUT_START */
    bool has_token;
    int status;
    bool final; /* of INPUT_ERROR: asking again the same way is of little use */
    uint64_t retry_after_ms;
    uint64_t elapsed_ms; /* of INPUT_REPLY: how long the call took */
    bool more; /* of INPUT_REPLY: requests came, or (also of a registration) events wait */
    uint64_t heartbeat_ms;
};

enum session_action_kind {
    ACTION_CALL,   /* make `call` */
    ACTION_WAIT,   /* INPUT_TIMER for `call` after `delay_ms`; replaces one that runs */
    ACTION_CANCEL, /* `call` and its timer */
    ACTION_STATE   /* the state has changed */
};

struct session_action {
    enum session_action_kind kind;
    enum controller_call call;
    uint64_t delay_ms;
};

#define SESSION_ACTIONS_MAX 16

struct session {
    enum session_state state;
    bool has_token;
    bool draining;
    bool events_waiting;
    bool busy[CALL_COUNT];    /* the call is under way */
    bool waiting[CALL_COUNT]; /* its timer runs */
    unsigned failures[CALL_COUNT];
    uint64_t heartbeat_ms;
    uint64_t random; /* state of the generator, seeded by the caller; not 0 */
};

/* Returns how many `actions` there are, at most SESSION_ACTIONS_MAX. */
size_t session_input(struct session *session, const struct session_input *input,
                     struct session_action actions[static SESSION_ACTIONS_MAX]);

const char *session_state_name(enum session_state state);

#endif
