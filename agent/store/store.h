/* What the node must not forget: slices, images, snapshots, requests and the outbox of events, in
 * one SQLite file. Only the parent process writes. Each function is one transaction unless it runs
 * between store_begin and store_commit, which nest. */
#ifndef SLICENODE_STORE_STORE_H
#define SLICENODE_STORE_STORE_H

#include "base/err.h"
#include "base/ident.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/request.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "model/volume.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So long gets the write-ahead log before it is written into the file and begun anew. */
#define STORE_LOG_PAGES 500

struct store;

/* Opens or creates the file; ":memory:" for a node without disks. A file of a newer version or a
 * damaged one is refused with a message that says what to do. */
int store_open(const char *path, struct store **store, struct err *err);
void store_close(struct store *store);

/* Who is told just before and after each commit, for tests that interrupt the agent there. */
struct commit_watch {
    void (*before)(void *context);
    void (*after)(void *context);
    void *context;
};
void store_watch_commits(struct store *store, const struct commit_watch *watch);

/* The inner ones of those that nest are written with the outermost, and can be rolled back
 * alone. */
int store_begin(struct store *store, struct err *err);
int store_commit(struct store *store, struct err *err);
void store_rollback(struct store *store);
bool store_in_transaction(const struct store *store);

/* Settings: short values by name (node_id, cursor, controller ...). *value is NULL when absent; the
 * caller frees it. Setting NULL removes. */
int store_get(struct store *store, const char *name, char **value, struct err *err);
int store_set(struct store *store, const char *name, const char *value, struct err *err);

/* Thin volumes have numbers from 1 on: the kernel's thin pool has 24 bits for them. */
#define THIN_ID_MAX 0xffffffu

/* The number that was given out last, 0 for none, and whether numbers are given out again: none is
 * new then, and what is in use has to be left out. operation/thin_id.c gives them out. */
int store_thin_id_last(struct store *store, uint32_t *last, bool *again, struct err *err);
int store_thin_id_give(struct store *store, uint32_t thin_id, bool again, struct err *err);
/* Until then only numbers above this one are given out: the pool has volumes up to it. */
int store_thin_id_floor(struct store *store, uint32_t thin_id, struct err *err);
/* The numbers of all volumes that slices, images, snapshots, volumes and the plans of open
 * requests have, in order; the caller frees them. */
int store_thin_ids(struct store *store, uint32_t **thin_ids, size_t *count, struct err *err);

/* Slices. `find` returns 1 when found, 0 when not, -1; the caller frees with slice_free. */
int store_slice_put(struct store *store, const struct slice *slice, struct err *err);
int store_slice_find(struct store *store, const char *id, struct slice *slice, struct err *err);
int store_slice_delete(struct store *store, const char *id, struct err *err);
/* In order of creation. The array and the slices are the store's, and good until a slice is put
 * or deleted or a transaction is rolled back: who changes slices goes by store_slice_ids. */
int store_slices(struct store *store, const struct slice *const **slices, size_t *count,
                 struct err *err);
/* The same slices' ids; the caller frees *ids with free(). */
int store_slice_ids(struct store *store, char (**ids)[UUID_TEXT_BYTES], size_t *count,
                    struct err *err);

int store_image_put(struct store *store, const struct image *image, struct err *err);
int store_image_find(struct store *store, const char *id, struct image *image, struct err *err);
int store_image_delete(struct store *store, const char *id, struct err *err);
/* The caller frees *images with free(). */
int store_images(struct store *store, struct image **images, size_t *count, struct err *err);

int store_snapshot_put(struct store *store, const struct snapshot *snapshot, struct err *err);
int store_snapshot_find(struct store *store, const char *id, struct snapshot *snapshot,
                        struct err *err);
int store_snapshot_delete(struct store *store, const char *id, struct err *err);
/* Of one slice, or of all when `slice` is NULL, oldest first; free() by the caller. */
int store_snapshots(struct store *store, const char *slice, struct snapshot **snapshots,
                    size_t *count, struct err *err);
/* What all snapshots together reserve of the pool. */
int store_snapshots_reserved(struct store *store, uint64_t *bytes, struct err *err);

int store_volume_put(struct store *store, const struct volume *volume, struct err *err);
int store_volume_find(struct store *store, const char *id, struct volume *volume, struct err *err);
int store_volume_delete(struct store *store, const char *id, struct err *err);
/* Those attached to a slice by slot, or all when `slice` is NULL; free() by the caller. A volume
 * whose slice is deleted is attached to none. */
int store_volumes(struct store *store, const char *slice, struct volume **volumes, size_t *count,
                  struct err *err);

/* Requests: recorded once, with the plan's progress and the outcome. */
enum request_phase {
    REQUEST_QUEUED,
    REQUEST_RUNNING, /* steps before `step` are done, `step` may have begun */
    REQUEST_UNDOING, /* failed; steps from `step` down to 0 are still to be undone */
    REQUEST_DONE,
    REQUEST_FAILED
};
struct request_record {
    struct request request;
    enum request_phase phase;
    unsigned step;
    json_t *scratch;  /* what steps hand on to later ones (thin ids, sizes); owned, may be NULL */
    json_t *result;   /* owned; NULL unless done */
    struct err error; /* when failed or undoing */
    bool internal;    /* made by the node itself (restart after a crash): no events of its own */
    int64_t end_seq;  /* the number of its end's event, or of the marker in its place */
};
/* 1 when new, 0 when that id is known already (nothing is changed), -1. */
int store_request_add(struct store *store, const struct request *request, bool internal,
                      struct err *err);
/* `end_seq` is not taken from the record: when it has ended, that is the last event's number. */
int store_request_update(struct store *store, const struct request_record *record, struct err *err);
int store_request_find(struct store *store, const char *id, struct request_record *record,
                       struct err *err);
/* Those that are not done or failed, in order of arrival; free with request_records_free. */
int store_requests_open(struct store *store, struct request_record **records, size_t *count,
                        struct err *err);
void request_record_free(struct request_record *record);
void request_records_free(struct request_record *records, size_t count);
/* Forgets ended requests beyond the newest `keep`, but none whose end waits in the outbox,
 * dropped or not, unless there are more than `keep_untold` in all. */
int store_requests_trim(struct store *store, unsigned keep, unsigned keep_untold, struct err *err);
/* Forgets the results of the oldest finished requests, so that those left take `bytes` at most. */
int store_results_trim(struct store *store, size_t bytes, struct err *err);

/* The outbox. store_event_add gives the event its `seq` and keeps the object (without it). */
int store_event_add(struct store *store, const json_t *event, int64_t *seq, struct err *err);
/* Drops the oldest events when there are more than `count_max` or their texts take more than
 * `bytes_max`, until a tenth of room is there again. In their place, with the last one's number,
 * stands a node.problem that says from which number on. Returns how many were dropped, or -1. */
int store_events_bound(struct store *store, size_t count_max, size_t bytes_max, struct err *err);
/* Puts another event in the place of that number. */
int store_event_replace(struct store *store, int64_t seq, const json_t *event, struct err *err);
/* Up to `limit` events after `after`, as a JSON array in order, each with its seq: as many as
 * take up to `bytes_max`, and at least one if there is any. */
int store_events(struct store *store, int64_t after, unsigned limit, size_t bytes_max,
                 json_t **events, struct err *err);
/* The highest number that a controller may say it has: half of those that JSON's readers tell
 * apart (2^53), so that the node can go on above it. With a million events a second it would be
 * reached after 142 years. */
#define EVENT_SEQ_ACKNOWLEDGED_MAX (INT64_C(1) << 52)
/* Drops the events up to `seq`, which is not above that; goes on behind it when it was never given
 * out. */
int store_events_acknowledge(struct store *store, int64_t seq, struct err *err);
/* Unacknowledged events waiting. */
int store_events_count(struct store *store, size_t *count, struct err *err);

#endif
