/* Frames between the agent's processes: a 4-byte little-endian length, then one JSON object.
 * The reader is bounded; an oversized or malformed frame is an error that ends the connection. */
#ifndef SLICENODE_PROCESS_WIRE_H
#define SLICENODE_PROCESS_WIRE_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* As long as a call to a controller may be. A longer message is refused by the sender, and ends
 * the connection at the receiver. What grows with the node is sent in parts of 512 KiB. */
#define WIRE_MESSAGE_LIMIT (4u << 20)
/* Left unread by a child. More is refused, and a child that never reads is ended. */
#define WIRE_QUEUE_LIMIT (4 * WIRE_MESSAGE_LIMIT)

struct wire {
    int fd;
    char *buffer; /* bytes received and not yet taken */
    size_t used;
    size_t allocated;
    bool closed;
    char *output; /* bytes queued and not yet sent */
    size_t output_used;
};

/* Takes a connected socket, which stays the caller's to close. */
void wire_init(struct wire *wire, int fd);
void wire_free(struct wire *wire);

/* Sends one object, waiting for room; `message` stays the caller's. */
int wire_send(struct wire *wire, const json_t *message, struct err *err);

/* The message {type: "error", code, message} that tells of `failure`; the caller owns it. */
json_t *wire_failure(const struct err *failure);

/* As wire_send, but keeps what there is no room for now: wire_flush sends it later. -1 also when
 * the other side has left too much unread. */
int wire_queue(struct wire *wire, const json_t *message, struct err *err);

/* 1 when all is sent, 0 when some is left and the socket has to become writable first, -1. */
int wire_flush(struct wire *wire, struct err *err);

/* Reads what is there (one read); 0 at success or when nothing was there, -1 at an error.
 * Sets `closed` at the end of the stream. */
int wire_fill(struct wire *wire, struct err *err);

/* Takes one whole message from the buffer: 1 with a new reference, 0 when none is complete, -1. */
int wire_take(struct wire *wire, json_t **message, struct err *err);

/* Blocks until one message is there or `timeout_ms` passed (-1: for ever): 1, 0 at the end of the
 * stream, -1 with ERR_TIMEOUT or another error. */
int wire_receive(struct wire *wire, int timeout_ms, json_t **message, struct err *err);

#endif
