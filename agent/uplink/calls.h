/* What each call to the controller carries, and what its answer means. */
#ifndef SLICENODE_UPLINK_CALLS_H
#define SLICENODE_UPLINK_CALLS_H

#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"
#include "process/call.h"
#include "uplink/session.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* A call's body and query; false when there is nothing to send. */
bool uplink_body(struct agent *agent, enum controller_call call, json_t **body, json_t **query,
                 int *timeout_ms);
/* What the session is to be told of the answer. */
struct session_input uplink_reply(struct agent *agent, enum controller_call call,
                                  const json_t *message, uint64_t elapsed_ms);

#endif
