/* Requests at work: a queue in order of arrival, at most one request at a time for each slice and
 * image, and a worker process for each request that runs. Everything is recorded before it happens,
 * so that the parent and the workers may be killed anywhere. */
#ifndef SLICENODE_TASK_H
#define SLICENODE_TASK_H

#include "admit.h"
#include "backend_open.h"
#include "loop.h"
#include "outbox.h"
#include "step.h"
#include "store.h"

#include <jansson.h>
#include <stdbool.h>

#define TASK_WORKERS_DEFAULT 8

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
    json_t *(*report)(void *context);
    const char *boot_id; /* of this boot of the machine */
    /* Whether the node takes new work has changed. */
    void (*drained)(void *context, bool drained);
    /* A request has ended; its record is still there. */
    void (*finished)(void *context, const struct request_record *record);
    /* A domain is about to be started; its console's log is so long. */
    void (*domain_starting)(void *context, const char *slice, uint64_t console_bytes);
};

struct tasks *tasks_new(const struct tasks_config *config);
void tasks_free(struct tasks *tasks);

/* Takes up what was open when the agent ended. */
int tasks_recover(struct tasks *tasks, struct err *err);

/* Records a request and queues it: 1. An id that is known already: 0, and when that request has
 * ended its last event is sent once more. -1 when the object is no request; with a valid id that is
 * also reported as request.failed. `internal`: of the node itself. */
int tasks_submit(struct tasks *tasks, const json_t *request, bool internal, struct err *err);

/* Begins what can begin now, within the transaction in which it was submitted: both are recorded with
 * one wait for the disk, while the worker gets ready. It asks before it does anything, and is answered
 * when the transaction is over. */
void tasks_begin(struct tasks *tasks);

/* Gives a request for an export, which has just been submitted, the descriptor that it is written
 * into. Takes the descriptor over. */
void tasks_attach(struct tasks *tasks, const char *request, int output);

/* An internal request without arguments but `force`. */
void tasks_submit_internal(struct tasks *tasks, enum operation operation, const char *slice);

/* A slice's console log has moved on; it had `size` bytes. */
void tasks_console_moved(struct tasks *tasks, const char *slice, uint64_t size);

/* Whether a request that changes the slice, not only reads its console or a snapshot, runs or waits. */
bool tasks_slice_busy(const struct tasks *tasks, const char *slice);

/* How many requests run or wait. */
unsigned tasks_count(const struct tasks *tasks);

/* How many of them run, or are the node's own, without those that nothing waits for: exports and
 * those who follow a console. */
unsigned tasks_at_work(const struct tasks *tasks);

/* Whether an operator or the controller has asked for no new work (node.drain); outlives reboots. */
bool tasks_drained(struct tasks *tasks);

/* From now on only the node's own requests are begun; what runs goes on, the others wait for the
 * next start. */
void tasks_drain(struct tasks *tasks);

/* While the state volume is full nothing new is made. */
void tasks_state_full(struct tasks *tasks, bool full);

/* What the node has and has promised now. */
int tasks_capacity(struct tasks *tasks, const char *except, struct capacity *capacity,
                   struct err *err);

#endif
