/* What the controller answers, checked before it goes to the agent: status, content type, and a
 * closed list of fields with types and bounds. Pure. */
#ifndef SLICENODE_NET_REPLY_H
#define SLICENODE_NET_REPLY_H

#include "base/err.h"
#include "process/call.h"
#include "process/wire.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Leaves room for what is around the body on the wire. */
#define REPLY_BODY_LIMIT (WIRE_MESSAGE_LIMIT - 8192)
/* A chain of some 30 certificates. A longer one is refused and told. */
#define PEM_LIMIT 65536

struct reply {
    long status;
    const char *content_type; /* NULL when the server named none */
    const char *body;
    size_t length;
};

/* 0 with the checked body (a new reference) when the call succeeded. Else -1 with the controller's
 * own error, or one that says what is wrong with the answer; *retry tells whether asking again
 * later can help. */
int reply_check(enum controller_call call, const struct reply *reply, json_t **body, bool *retry,
                struct err *err);

#endif
