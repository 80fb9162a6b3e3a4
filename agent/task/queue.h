/* Requests at work: a queue in order of arrival, at most one request at a time for each slice and
 * image, and a worker process for each request that runs. Everything is recorded before it happens,
 * so that the parent and the workers may be killed anywhere. */
#ifndef SLICENODE_TASK_QUEUE_H
#define SLICENODE_TASK_QUEUE_H

#include "base/err.h"
#include "model/request.h"
#include "operation/task.h"

#include <jansson.h>
#include <stdbool.h>

struct tasks *tasks_new(const struct tasks_config *config);
void tasks_free(struct tasks *tasks);

/* Takes up what was open when the agent ended. */
int tasks_recover(struct tasks *tasks, struct err *err);

/* Records a request and queues it: 1. An id that is known already: 0, and when that request has
 * ended its last event is sent once more. -1 when the object is no request; with a valid id that is
 * also reported as request.failed. `internal`: of the node itself. */
int tasks_submit(struct tasks *tasks, const json_t *request, bool internal, struct err *err);

/* Gives a request for an export, which has just been submitted, the descriptor that it is written
 * into. Takes the descriptor over. */
void tasks_attach(struct tasks *tasks, const char *request, int output);

/* An internal request without arguments but `force`. */
void tasks_submit_internal(struct tasks *tasks, enum operation operation, const char *slice);

/* From now on only the node's own requests are begun; what runs goes on, the others wait for the
 * next start. */
void tasks_drain(struct tasks *tasks);

#endif
