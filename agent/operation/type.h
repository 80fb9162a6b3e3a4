/* What an operation is: one row for each, in its own file, under the name that model/request.h
 * gives it. Who carries requests out knows nothing else of an operation than its row. */
#ifndef SLICENODE_OPERATION_TYPE_H
#define SLICENODE_OPERATION_TYPE_H

#include "base/err.h"
#include "model/nic.h"
#include "model/request.h"
#include "model/slice.h"
#include "plan/facts.h"
#include "plan/steps.h"
#include "step/worker.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Who waits for whom, and who goes first. */
enum operation_trait {
    OPERATION_AT_ONCE = 1 << 0, /* does not wait for its turn, and is never one too many */
    OPERATION_LOOKS = 1 << 1,   /* only reads the slice's console: beside what is done with it */
    OPERATION_SENDS = 1 << 2,   /* what nothing changes: later requests go on beside it */
    OPERATION_READS_SNAPSHOT = 1 << 3,   /* as others may at the same time */
    OPERATION_REMOVES_SNAPSHOT = 1 << 4, /* of its slice: waits for those that send one */
    OPERATION_MAKES_SLICE = 1 << 5,
    OPERATION_REMOVES_SLICE = 1 << 6, /* ends what its slice has under way */
    OPERATION_FETCHES = 1 << 7,       /* may wait for a server of images */
    OPERATION_REMOVES_IMAGE =
        1 << 8,                   /* is refused while others use it, and does not wait for them */
    OPERATION_OF_VOLUME = 1 << 9, /* is about the volume that it names */
    OPERATION_STOPS = 1 << 10,    /* takes `force`, which the node itself asks with */
    OPERATION_ENDS_WITH_MACHINE = 1 << 11,
    OPERATION_NO_ARGUMENTS = 1 << 12,
};

/* What must be there before `prepare` is called. */
enum operation_needs {
    NEEDS_NOTHING,
    NEEDS_SLICE,  /* its row in the store; `slice` is NULL otherwise */
    NEEDS_DOMAIN, /* also what is known of its domain and volumes, in `facts` */
};

struct task;

/* Functions that an operation has no need of are NULL. All run in the parent, in the transaction
 * of the caller. */
struct operation_type {
    unsigned traits;
    enum operation_needs needs;
    /* Where its arguments name an image: "" for themselves, or the field that does; NULL for
     * none. */
    const char *image_in;
    /* Checks the request against the node, makes the plan, records what it changes at once. All
     * of it is taken back when this fails. */
    int (*prepare)(struct task *task, struct slice *slice, struct plan_facts *facts,
                   struct err *err);
    /* A step is about to begin: -1 when it may not. */
    int (*begin_step)(struct task *task, const struct step *step, struct err *err);
    /* A step has been carried out: what the store learns of what it gave; -1 when it cannot
     * stay. */
    int (*end_step)(struct task *task, const struct step *step, const json_t *output,
                    struct err *err);
    /* So many bytes of the pool are written so far; -1, with the task's `short_bytes`, when they
     * are too many. */
    int (*progress)(struct task *task, uint64_t mapped_bytes, struct err *err);
    /* Whether what a step has done stays when the request fails. */
    bool (*keeps)(struct task *task, const struct step *step);
    /* The result of a request that has no steps. */
    int (*answer)(struct task *task, json_t **result, struct err *err);
    /* It has been carried out; *result, owned by the caller, is set when there is more to say. */
    void (*done)(struct task *task, json_t **result);
    /* It has not, and is undone. */
    void (*failed)(struct task *task);
    /* The agent has started anew while it was under way. */
    void (*recover)(struct task *task);
    /* Whether it stays without a worker until its time is over. */
    bool (*stays)(const struct task *task);
    /* What the worker needs beyond the slice, the image and the volumes. */
    void (*load)(struct task *task, struct worker_more *more);
};

#define X(name, row, text, scope) extern const struct operation_type operation_##row;
OPERATIONS(X)
#undef X

#endif
