/* The connection to sliced. All of these exit with a message when it is not there. */
#ifndef SLICENODE_CTL_LINK_H
#define SLICENODE_CTL_LINK_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

/* Exit codes. */
#define EXIT_DONE 0
#define EXIT_REFUSED 1 /* the node said no, or the request failed */
#define EXIT_USAGE 2
#define EXIT_NO_AGENT 3 /* sliced does not answer */

struct control {
    int fd;
    const char *socket_path;
    bool json;
    char *buffer;
    size_t used;
    json_int_t last_id;
    json_t *kept; /* lists that names were found in: the ids are parts of them */
    /* Notifications that come while an answer is awaited. */
    void (*notified)(struct control *control, const char *method, const json_t *params);
};

/* The result as a new reference; NULL with `err` when sliced refused. Takes `params` over. */
json_t *control_call(struct control *control, const char *method, json_t *params, struct err *err);
/* As control_call; sliced gets a copy of `descriptor` with it. */
json_t *control_call_with(struct control *control, const char *method, json_t *params,
                          int descriptor, struct err *err);
/* As control_call, but a refusal is printed and ends the program. */
json_t *control_need(struct control *control, const char *method, json_t *params);
/* Waits for one notification. */
void control_follow(struct control *control);

#endif
