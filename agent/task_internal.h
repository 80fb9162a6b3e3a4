/* What the files of the task module share. */
#ifndef SLICENODE_TASK_INTERNAL_H
#define SLICENODE_TASK_INTERNAL_H

#include "plan.h"
#include "task.h"
#include "wire.h"

#include <sys/types.h>

/* How often a worker that died is started again to carry the request on, before it is undone as far
 * as it can be. Undoing is never given up. */
#define TASK_ATTEMPTS 3

struct task {
    struct tasks *tasks;
    struct request_record record;
    struct plan plan;
    char image[UUID_TEXT_BYTES];    /* that the request concerns; "" for none */
    char snapshot[UUID_TEXT_BYTES]; /* likewise */
    char volume[UUID_TEXT_BYTES];   /* likewise */
    char slice[UUID_TEXT_BYTES];    /* the request's, or the one that its volume is attached to */
    bool prepared;                  /* the plan is there */
    bool replaces_provision;        /* a terminate that cancelled the provision of its slice */
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
    bool draining;
    unsigned ended;
    size_t result_bytes;    /* of results since they were last trimmed */
    uint64_t memory_mib;    /* capacity_read's known_memory_mib */
    uint64_t assumed_bytes; /* of disk that would be free without the images nobody needs */
    bool state_full;
};

/* task_prepare.c: checks the request against the node, makes the plan, records what it changes at
 * once. In the caller's transaction, which is rolled back when this fails. */
int task_prepare(struct task *task, struct err *err);
bool task_image_exclusive(const struct task *task);
bool task_image_shared(const struct task *task, const char *image);

/* task_wait.c: whether a request is kept for after the shutdown, and whether it may begin now: what
 * came before it and touches the same has ended. */
bool task_is_held_back(const struct task *task);
bool task_may_start(struct task *task);

/* task_node.c: the node's own requests. A reboot that was under way when the machine went down is at
 * its end. task_refuse_drained fails when the node takes no new work. */
int task_prepare_reboot(struct task *task, struct err *err);
int task_answer_drain(struct task *task, json_t **result, struct err *err);
void task_recover_reboot(struct task *task);
int task_refuse_drained(struct task *task, const char *what, struct err *err);

/* task_resize.c: slice.resize from its arguments to its result. */
struct plan_facts;
int task_prepare_resize(struct task *task, struct slice *slice, struct plan_facts *facts,
                        struct err *err);
void task_apply_resized(struct task *task, const struct step *step, const json_t *output);
void task_apply_resize_done(struct task *task, json_t **result);
void task_apply_resize_failed(struct task *task);

/* task_prepare_image.c: the images' part of it. task_find_image finds what a slice is made from, or
 * prepares to fetch it: `asked` is what the request says and becomes what the store has. */
uint32_t task_next_thin_id(struct task *task);
/* For fetching an image: a number for its scratch volume or 0, and the room that it needs at least. */
uint32_t task_scratch_id(struct task *task, const struct image *image);
uint64_t task_import_bytes(const struct image *image);
int task_check_kernel(struct task *task, const char *id, enum image_kind kind, struct err *err);
int task_find_image(struct task *task, struct image *asked, bool *ready, struct err *err);
void task_put_new_image(struct task *task, struct image *image);
int task_prepare_fetch(struct task *task, struct err *err);
int task_prepare_image_delete(struct task *task, struct err *err);

/* task_volume.c: the volumes' part of preparing, of waiting and of ending. task_find_slice brings
 * task->slice up to date as long as the request has not begun. */
void task_find_slice(struct task *task);
int task_prepare_volume(struct task *task, struct err *err);
int task_gate_resize(struct task *task, const struct step *step, struct err *err);
void task_done_volume(struct task *task, json_t **result);
void task_failed_volume(struct task *task);
bool task_is_of_volume(const struct task *task);
/* Those attached to the task's slice; the caller frees them. */
void task_volumes(const struct task *task, struct volume **volumes, size_t *count);
/* Whether the slice has a domain now, and whether that has ended. */
int task_find_domain(struct task *task, const char *slice, struct plan_facts *facts,
                     struct err *err);
/* task_export.c: snapshot.export's part of everything. */
bool task_is_export(const struct task *task);
/* Whether the task has to wait for an earlier export of the same slice to end. */
bool task_waits_for_export(const struct task *task);
/* Whether too many exports run for this one to begin. */
bool task_export_must_wait(const struct task *task);
int task_prepare_export(struct task *task, struct err *err);
json_t *task_export_result(struct task *task);

/* As tasks_capacity, for what only takes disk space: the memory is that of the last time. */
int task_disk_capacity(struct tasks *tasks, struct capacity *capacity, struct err *err);

/* task_apply.c: what the store learns from a step's begin and end, and from a request's end. All in
 * the caller's transaction. */
/* A step begins: -1 when it may not. `tell`: with an event. */
int task_enter(struct task *task, const struct step *step, bool tell, struct err *err);
int task_apply_end(struct task *task, const struct step *step, const json_t *output,
                   struct err *err);
/* A step's work that stays when the request fails: an image that has come whole and right. */
bool task_keeps(struct task *task, const struct step *step);
int task_apply_progress(struct task *task, uint64_t mapped_bytes, struct err *err);

/* task_finish.c: the last changes of a request that has been carried out or not. `result` is set to
 * what the request answers, owned by the caller. task_answer makes the result of requests that have
 * no steps. */
int task_answer(struct task *task, json_t **result, struct err *err);
/* The request's slice as the protocol shows it; NULL when it is gone. */
json_t *task_slice_result(struct task *task);
void task_apply_done(struct task *task, json_t **result);
void task_apply_failed(struct task *task);

/* task_end.c: `error` NULL for well; takes `result` over, which may be NULL. In the caller's
 * transaction. tasks_repeat_end tells the end of a request that is asked for once more. */
void task_record_end(struct task *task, const struct err *error, json_t *result);
void tasks_repeat_end(struct tasks *tasks, const char *id);

/* task_room.c: disk images are a cache, which makes room when a request needs it. */
/* Marks the image as the one used last; the caller puts it. */
void task_image_used(struct task *task, struct image *image);
/* What the images hold that no request concerns. */
uint64_t task_spare_bytes(struct tasks *tasks);
/* Whether an image is being collected. */
bool task_collecting(const struct tasks *tasks);
/* Sends the image used least recently away, unless one is going already or all of them together
 * would not give `short_bytes`: then false. */
bool task_make_room(struct tasks *tasks, uint64_t short_bytes);
/* Whether a request that was not prepared because of `error` is to wait for room; it stays queued. */
bool task_wait_for_room(struct task *task, const struct err *error);
/* The same for one that was undone because of `error`: it is put back to where it was in the queue. */
bool task_put_back(struct task *task, const struct err *error);
/* task_checkpoint.c: snapshots with memory. */
int task_prepare_checkpoint(struct task *task, const struct slice *slice,
                            const struct plan_facts *facts, struct snapshot *snapshot,
                            struct err *err);
int task_prepare_memory_revert(struct task *task, struct slice *slice,
                               const struct plan_facts *facts, struct err *err);
int task_gate_memory(struct task *task, const struct step *step, struct err *err);
void task_memory_saved(struct task *task, const json_t *output);
void task_checkpoint_taken(struct task *task, const json_t *output);
/* What slices that are being reverted will have more than they have now, other than `except`, which
 * may be NULL: promised to them until the disk is swapped, and then their own. */
uint64_t task_reverts_memory_mib(struct tasks *tasks, const char *except);
/* The snapshot that a request reverts to; false for other requests. */
bool task_find_reverted(struct task *task, struct snapshot *snapshot);
void task_memory_swapped(struct task *task, struct slice *slice);
void task_revert_failed(struct task *task);

/* task_console.c: requests that follow a console. They have no worker: what they have told is in
 * their record, as `place`, in one transaction with the event that told it. */
bool task_is_console(const struct task *task);
/* Whether it is one that stays; task_console_follow begins, or goes on after a crash. */
bool task_stays(const struct task *task);
/* Whether one more may follow now. */
bool task_may_follow(const struct tasks *tasks);
void task_console_follow(struct task *task);
/* Tells what is still to be told and ends it; `error` NULL for well. */
void task_console_end(struct task *task, const struct err *error);

/* task_worker.c: runs in the child, never returns. */
struct worker_job {
    const struct plan *plan;
    enum request_phase phase;
    unsigned step;
    struct slice *slice; /* NULL for none */
    struct image *image;
    struct volume *volumes; /* attached to the slice */
    size_t volume_count;
    struct worker_export *export; /* NULL likewise */
    int output;
    struct snapshot *snapshot;
    const char *ca;
    const struct tasks_config *config;
};
struct worker_export {
    struct export_args args;
    struct snapshot snapshot;
};
/* Fills the job's part of an export; false for another operation. */
bool task_load_export(struct task *task, struct worker_job *job, struct worker_export *export);
void task_worker(const struct worker_job *job, int socket) __attribute__((noreturn));

/* task_link.c: the parent's side of a worker. */
void task_spawn(struct task *task);
/* Ends the worker, if there is one. */
void task_kill(struct task *task);
/* Ends the worker and lets another one undo what it did. */
void task_turn_back(struct task *task, const struct err *error);

/* task_cancel.c: carries out request.cancel. */
int task_cancel(struct task *task, struct err *err);
/* Whether it can still be as if the request had not been made, and making it so: a request that has
 * not been prepared is gone afterwards. */
bool task_is_revocable(const struct task *task);
void task_take_back(struct task *task, const struct err *error);

/* task_begin.c */
void tasks_kick(struct tasks *tasks);
void task_begin(struct task *task);

/* task.c */
void task_finish(struct task *task, const struct err *error);
/* The same in the transaction that the caller has begun, which ends with it. */
void task_finish_begun(struct task *task, const struct err *error);

#endif
