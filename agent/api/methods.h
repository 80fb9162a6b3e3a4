/* What the local socket answers. */
#ifndef SLICENODE_API_METHODS_H
#define SLICENODE_API_METHODS_H

#include "base/err.h"
#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"
#include "store/store.h"

int methods_open(struct agent *agent, struct err *err);
/* Answers those who wait for the request, or for the node's shutdown. */
void methods_request_finished(struct agent *agent, const struct request_record *record);
void methods_check_shutdown(struct agent *agent);

#endif
