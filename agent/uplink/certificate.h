/* The node's key and certificate: when a new one is asked for, and what follows from what
 * sliced-net says of them. */
#ifndef SLICENODE_UPLINK_CERTIFICATE_H
#define SLICENODE_UPLINK_CERTIFICATE_H

#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"
#include "uplink/session.h"

#include <jansson.h>
#include <stdbool.h>

/* When the certificate has expired (the node was away for long) it needs a new one, which its
 * token and key bring: true when the session is to be told `input`, which asks for that. */
bool certificate_enrol_anew(struct agent *agent, struct session_input *input);
/* sliced-net was started: asks it for what is missing. true when the session can begin with
 * `input`. */
bool certificate_begin(struct agent *agent, struct session_input *input);
/* sliced-net has made a key or a request for a certificate; true when the session is to be told
 * `input`. */
bool certificate_on_key(struct agent *agent, const json_t *message, struct session_input *input);
/* sliced-net has its configuration, and says until when the certificate is good. */
void certificate_on_configured(struct agent *agent, const json_t *message);

#endif
