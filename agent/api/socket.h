/* The local socket: JSON-RPC 2.0, one object per line in both directions. Any number of clients up
 * to a limit; one that does not read or sends nonsense is dropped and holds up nobody. */
#ifndef SLICENODE_API_SOCKET_H
#define SLICENODE_API_SOCKET_H

#include "base/err.h"
#include "node/agent.h"
#include "process/loop.h"

#include <jansson.h>
#include <stdbool.h>

struct api;
struct api_call; /* a request of a client that waits for its answer */

/* Must answer the call now or later, once. `params` is an object, the empty one when absent. */
typedef void api_method(void *context, struct api_call *call, const char *method,
                        const json_t *params);

int api_open(struct loop *loop, const char *path, api_method *method, void *context,
             struct api **api, struct err *err);
void api_close(struct api *api);

/* Both end the call. `result` is taken over; NULL stands for null. */
void api_answer(struct api_call *call, json_t *result);
void api_fail(struct api_call *call, const struct err *error);
void api_unknown_method(struct api_call *call, const char *method);

/* The descriptor that came with the call, which is the caller's now; -1 when there is none. */
int api_take_descriptor(struct api_call *call);

/* What the call waits for, as a tag the method chooses (at most 63 characters). */
void api_call_defer(struct api_call *call, const char *tag);
/* Hands every waiting call of that tag to `answer`, which must end it. */
void api_resume(struct api *api, const char *tag,
                void (*answer)(void *context, struct api_call *call), void *context);

/* The client gets notifications from now on: all events, or those of one request or slice. */
void api_follow(struct api_call *call, const char *request, const char *slice);
/* ... and what a slice's console says from `offset` on. */
void api_follow_console(struct api_call *call, const char *slice, uint64_t offset);

/* Sends an event to those who follow it. */
void api_event(struct api *api, const json_t *event);
/* Lets every follower of a console read on: called about twice a second while there is one. */
void api_consoles(struct api *api,
                  void (*read)(void *context, const char *slice, uint64_t *offset, json_t **chunk),
                  void *context);
bool api_has_console_followers(const struct api *api);

#endif
