/* Requests that have not ended, and what each concerns. */
#ifndef SLICENODE_OPERATION_TASK_H
#define SLICENODE_OPERATION_TASK_H

#include "backend/backend.h"
#include "backend/open.h"
#include "base/err.h"
#include "base/ident.h"
#include "model/nic.h"
#include "model/slice.h"
#include "operation/type.h"
#include "plan/steps.h"
#include "process/loop.h"
#include "process/wire.h"
#include "step/context.h"
#include "store/outbox.h"
#include "store/store.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Each is a process of dom0, which has four processors. Ten times as many would be slower in
 * all. */
#define TASK_WORKERS_DEFAULT 8

/* How often a worker that died is started again to carry the request on, before it is undone as far
 * as it can be. Undoing is never given up. */
#define TASK_ATTEMPTS 3

struct tasks;

struct tasks_config {
    struct loop *loop;
    struct store *store;
    struct outbox *outbox;
    struct backend *backend;                /* the parent's own */
    struct backend_options backend_options; /* for the workers */
    struct node_paths paths;
    unsigned workers; /* how many run at a time */
    int lock;         /* of the state folder, held by each worker as well */
    void *context;    /* of what follows */
    /* The controller's CA as PEM, for images from its own server; NULL for none. */
    const char *(*ca)(void *context);
    /* The registration's body, the result of node.report. */
    int (*report)(void *context, json_t **report, struct err *err);
    const char *boot_id; /* of this boot of the machine */
    /* Whether the node takes new work has changed. */
    void (*drained)(void *context, bool drained);
    /* A request has ended; its record is still there. */
    void (*finished)(void *context, const struct request_record *record);
    /* A domain is about to be started; its console's log is so long. */
    void (*domain_starting)(void *context, const char *slice, uint64_t console_bytes);
};

struct task {
    struct tasks *tasks;
    const struct operation_type *type;
    struct request_record record;
    struct plan plan;
    char image[UUID_TEXT_BYTES];    /* that the request concerns; "" for none */
    char snapshot[UUID_TEXT_BYTES]; /* likewise */
    char volume[UUID_TEXT_BYTES];   /* likewise */
    char slice[UUID_TEXT_BYTES];    /* the request's, or the one that its volume is attached to */
    bool prepared;                  /* the plan is there */
    bool wants_room;                /* waits until the image that is being collected has gone */
    uint64_t short_bytes;           /* of disk, when it was refused for that while at work */
    unsigned again;                 /* how often it was put back for that */
    bool began;                     /* a worker has begun, or may have before the agent's start */
    unsigned attempts;
    int output;           /* that an export without a URL is written into; -1 for none */
    unsigned retry_timer; /* the next worker waits for it; 0 for none */
    pid_t worker;         /* 0: waits */
    bool follows;         /* a console, by the timer below */
    unsigned timer;
    uint64_t follows_to; /* monotonic */
    struct wire wire;
    uint64_t reported_ms; /* when the last progress was */
    int reported_percent;
    struct task *next;
};

struct tasks {
    struct tasks_config config;
    struct task *first; /* in order of arrival */
    unsigned running;
    unsigned kick_timer;
    /* Set by who makes the queue: looks soon what can begin, and takes a request of the node's
     * own. */
    void (*kick)(struct tasks *tasks);
    int (*submit)(struct tasks *tasks, const json_t *request, bool internal, struct err *err);
    bool draining;
    unsigned ended;
    size_t result_bytes;    /* of results since they were last trimmed */
    uint64_t memory_mib;    /* capacity_read's known_memory_mib */
    uint64_t assumed_bytes; /* of disk that would be free without the images nobody needs */
    bool state_full;
    bool thin_ids_known; /* the pool was asked which volumes it has */
    uint32_t *pool_ids;  /* what it had when numbers began to be given out again */
    size_t pool_id_count;
    bool pool_ids_known; /* in this pass through the numbers */
};

/* A new one at the end; takes over what `record` owns. */
struct task *tasks_append(struct tasks *tasks, const struct operation_type *type,
                          struct request_record *record);
bool task_has(const struct task *task, enum operation_trait trait);

/* Of a terminate that has ended what its slice had under way: whether that was its provision. NULL
 * for one that has not, and for all others. It is kept with the request. */
json_t *task_made_way(const struct task *task);
void task_note_made_way(struct task *task, bool of_provision);

/* Whether a request that changes the slice, not only reads its console or a snapshot, runs or
 * waits. */
bool tasks_slice_busy(const struct tasks *tasks, const char *slice);

/* How many requests run or wait. */
unsigned tasks_count(const struct tasks *tasks);

/* How many of them run, or are the node's own, without those that nothing waits for: exports and
 * those who follow a console. */
unsigned tasks_at_work(const struct tasks *tasks);

/* Whether it stays without a worker until its time is over. */
bool task_stays(const struct task *task);
/* Whether the image that it concerns must be used by nobody else, or is used by another request. */
bool task_image_exclusive(const struct task *task);
bool task_image_shared(const struct task *task, const char *image);

/* The request's slice; the caller frees it when it was found. */
bool task_slice_find(struct task *task, struct slice *slice);
void task_slice_put(struct task *task, const struct slice *slice);
/* Of what a step has given; 0 when it is not there or negative. */
uint64_t output_number(const json_t *object, const char *name);

#endif
