/* Events on their way out: recorded in the store for the controller, and handed to a listener
 * for the clients of the local socket. */
#ifndef SLICENODE_STORE_OUTBOX_H
#define SLICENODE_STORE_OUTBOX_H

#include "base/err.h"
#include "store/store.h"

#include <jansson.h>
#include <stdbool.h>

struct outbox;

struct event {
    const char *type;    /* of the protocol, such as "request.done" */
    const char *request; /* NULL or "" for none, likewise the slice */
    const char *slice;
    const char *step;
    bool has_progress;
    int progress;            /* percent */
    json_t *result;          /* borrowed; NULL for none */
    const struct err *error; /* NULL or ERR_NONE for none */
    const char *console;     /* last lines of the slice's console, with an error; NULL for none */
};

#define EVENT(...) (&(struct event){__VA_ARGS__})

/* `event` is the protocol's object with its seq and stays the outbox's. */
typedef void outbox_listener(void *context, const json_t *event);

/* Events that wait for the controller: beyond `events_max` or this the oldest ones are dropped
 * (store_events_bound). */
#define OUTBOX_EVENTS_MAX 100000
#define OUTBOX_BYTES_MAX (64u << 20)

struct outbox *outbox_new(struct store *store, size_t events_max);
void outbox_free(struct outbox *outbox);
void outbox_listen(struct outbox *outbox, outbox_listener *listener, void *context);

/* Records an event, within the caller's transaction if there is one. */
void outbox_add(struct outbox *outbox, const struct event *event);

/* Events that a listener has not seen yet are handed to it: called when a transaction is over.
 * Within an outer one they wait for the end of that. */
void outbox_flush(struct outbox *outbox);

/* How many events no listener has seen yet, and forgetting those that came after so many: their
 * transaction was rolled back. */
size_t outbox_mark(const struct outbox *outbox);
void outbox_drop(struct outbox *outbox, size_t mark);

/* {code, message, console?} */
json_t *outbox_error(const struct err *error, const char *console);

#endif
