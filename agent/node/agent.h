/* The agent as a whole: what its parts share. */
#ifndef SLICENODE_NODE_AGENT_H
#define SLICENODE_NODE_AGENT_H

#include "backend/backend.h"
#include "base/ident.h"
#include "node/identity.h"
#include "node/options.h"
#include "node/parameters.h"
#include "node/problem.h"

#include <stdbool.h>
#include <stddef.h>

struct api;
struct boot;
struct domains;
struct health;
struct loop;
struct outbox;
struct store;
struct tasks;
struct uplink;

struct agent {
    struct options options;
    struct conf_values conf;
    struct identity identity;
    struct loop *loop;
    struct store *store;
    struct outbox *outbox;
    struct backend backend;
    char *ram_state_dir; /* instead of the state volume's folders, when there is none */
    char *ram_console_dir;
    bool storage; /* the node keeps its state on a disk and has a pool */
    struct tasks *tasks;
    struct api *api;
    struct uplink *uplink;
    struct domains *domains;
    struct boot *boots;
    struct health *health;
    struct problem problems[PROBLEMS_MAX];
    unsigned problem_count;
    const char *version;
    char boot_id[UUID_TEXT_BYTES];
    bool new_boot; /* the first start of the agent since the machine booted */
    unsigned boots_timer;
    unsigned status_timer;
    unsigned events_timer;
    bool events_linger; /* only such wait that say that something goes on */
    bool draining;
    size_t status_slice; /* the next heartbeat begins with */
    size_t status_volume;
    const char *session; /* the state of that with the controller, as the status screen shows it */
    int lock;            /* of the state folder */
};

#endif
