/* Events on their way to the controller, batch by batch from the oldest on. */
#ifndef SLICENODE_UPLINK_EVENTS_H
#define SLICENODE_UPLINK_EVENTS_H

#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* The next batch; false when there is none. */
bool uplink_events_body(struct agent *agent, json_t **body);
/* The controller refuses the batch (400): looks for the event that it does not take. true when
 * it is to be sent again at once, another way. */
bool uplink_events_refused(struct agent *agent, const char *message);
/* Up to which number the controller has them, of its reply; 0 when that cannot be. */
int64_t uplink_events_number(const json_t *body);
/* Sets whether more events wait; -1 when the controller has taken none. */
int uplink_events_acknowledged(struct agent *agent, const json_t *body, bool *more);

#endif
