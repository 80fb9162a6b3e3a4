/* Watches the slices' domains: adopts those that run, restarts what ended by itself as it
 * should, strives for the desired state. */
#ifndef SLICENODE_WATCH_DOMAINS_H
#define SLICENODE_WATCH_DOMAINS_H

#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"
#include "store/store.h"

#include <stdbool.h>

/* Before any request goes on: the domains of an earlier boot are gone, and each slice that is
 * known has yet to be brought to what is desired, at the first moment when no request is about
 * it. */
void domains_load(struct agent *agent);
void domains_open(struct agent *agent);
void domains_check(struct agent *agent);
void domains_request_finished(struct agent *agent, const struct request_record *record);
void domains_close(struct agent *agent);
/* Stops every slice and keeps what is desired, for the machine's shutdown. */
void domains_shutdown(struct agent *agent);
bool domains_shutting_down(const struct agent *agent);

#endif
