/* The registration on its way, part by part. */
#ifndef SLICENODE_UPLINK_REGISTERING_H
#define SLICENODE_UPLINK_REGISTERING_H

#include "base/err.h"
#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"

#include <jansson.h>
#include <stdbool.h>

/* The key of what is wrong with the node when it cannot register. */
#define REGISTRATION_PROBLEM "registration"

/* The next part; false when the node cannot be told, which is a problem of the node. */
bool registering_body(struct agent *agent, json_t **body);
/* A call was answered with the HTTP `status` 200 or 202: 1 when more parts are to be sent, 0 when
 * the controller has all, -1 when it has answered the wrong part so. */
int registering_answered(struct agent *agent, int status, struct err *err);
/* A call has failed with this HTTP status, or without one (0). */
void registering_failed(struct agent *agent, int status);
void registering_drop(struct agent *agent);

#endif
