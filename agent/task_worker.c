/* The child's side: walks through the plan, asking the parent before each step. */
#include "task_internal.h"

#include "log.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define UNDO_TRIES 3
#define UNDO_PAUSE_SECONDS 1

struct worker {
    const struct worker_job *job;
    struct wire wire;
    struct backend backend;
    struct step_context context;
};

/* Without the parent nothing may go on: its successor takes over from what is recorded. */
static void tell(struct worker *worker, json_t *message)
{
    if (wire_send(&worker->wire, message, NULL) < 0)
        _exit(1);
    json_decref(message);
}

static json_t *ask(struct worker *worker, json_t *message)
{
    json_t *answer;
    tell(worker, message);
    if (wire_receive(&worker->wire, -1, &answer, NULL) != 1)
        _exit(1);
    return answer;
}

static void report(void *argument, int percent, uint64_t mapped_bytes)
{
    tell(argument, json_pack("{s:s, s:i, s:I}", "type", "progress", "percent", percent, "mapped",
                             (json_int_t)mapped_bytes));
}

/* `output` is what the step before has given: it travels with the question for this one, so that the
 * parent records both in one transaction. It is taken over, and replaced by this step's. */
static int run_step(struct worker *worker, unsigned index, json_t **output, struct err *err)
{
    const struct step *step = &worker->job->plan->steps[index];
    json_t *question = json_pack("{s:s, s:i}", "type", "begin", "step", (int)index);
    if (*output)
        json_object_set_new(question, "output", *output);
    *output = NULL;
    json_t *answer = ask(worker, question);
    const char *code = json_string_value(json_object_get(answer, "code"));
    if (code) {
        err_set(err, err_code_from_name(code), "%s",
                json_string_value(json_object_get(answer, "message")));
        json_decref(answer);
        return -1;
    }
    json_decref(answer);
    *output = json_object();
    if (step_run(step, &worker->context, *output, err) == 0)
        return 0;
    json_decref(*output);
    *output = NULL;
    return -1;
}

static void undo_step(struct worker *worker, unsigned index)
{
    const struct step *step = &worker->job->plan->steps[index];
    struct err err;
    json_t *answer = ask(worker, json_pack("{s:s, s:i}", "type", "undo", "step", (int)index));
    bool keep = json_is_true(json_object_get(answer, "keep"));
    json_decref(answer);
    if (keep)
        return;
    for (int left = UNDO_TRIES; step_undo(step, &worker->context, &err) < 0;) {
        log_error("cannot undo %s: %s: %s", step_name(step->kind), err_code_name(err.code),
                  err.message);
        if (--left == 0) {
            tell(worker, json_pack("{s:s, s:i, s:s, s:s}", "type", "residue", "step", (int)index,
                                   "code", err_code_name(err.code), "message", err.message));
            return;
        }
        nanosleep(&(struct timespec){.tv_sec = UNDO_PAUSE_SECONDS}, NULL);
    }
}

static void undo_from(struct worker *worker, unsigned index)
{
    for (unsigned k = index + 1; k-- > 0;)
        undo_step(worker, k);
    tell(worker, json_pack("{s:s}", "type", "undone"));
}

static void run_from(struct worker *worker, unsigned index)
{
    json_t *output = NULL;
    for (unsigned k = index; k < worker->job->plan->count; k++) {
        struct err err = {0};
        if (run_step(worker, k, &output, &err) == 0)
            continue;
        json_t *answer =
            ask(worker, json_pack("{s:s, s:i, s:s, s:s}", "type", "failed", "step", (int)k, "code",
                                  err_code_name(err.code), "message", err.message));
        if (json_is_true(json_object_get(answer, "undo")))
            undo_from(worker, k);
        json_decref(answer);
        return;
    }
    json_t *done = json_pack("{s:s}", "type", "done");
    if (output)
        json_object_set_new(done, "output", output);
    tell(worker, done);
}

static void leave_parent(int socket)
{
    sigset_t none;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_IGN);
    log_open("sliced", LOG_LEVEL_INFO, NULL);
    if (dup2(socket, 3) < 0)
        _exit(1);
    syscall(SYS_close_range, 4u, ~0u, 0u);
}

void task_worker(const struct worker_job *job, int socket)
{
    struct worker worker = {.job = job};
    struct err err;
    leave_parent(socket);
    wire_init(&worker.wire, 3);
    if (backend_open(&job->config->backend_options, &worker.backend, &err) < 0) {
        log_error("a worker cannot open the backend: %s", err.message);
        json_decref(ask(&worker, json_pack("{s:s, s:s, s:s}", "type", "closed", "code",
                                           err_code_name(err.code), "message", err.message)));
        _exit(1);
    }
    worker.context = (struct step_context){.backend = &worker.backend,
                                           .paths = job->config->paths,
                                           .slice = job->slice,
                                           .image = job->image,
                                           .volumes = job->volumes,
                                           .volume_count = job->volume_count,
                                           .snapshot = job->snapshot,
                                           .ca = job->ca,
                                           .progress = report,
                                           .argument = &worker};
    if (job->phase == REQUEST_UNDOING)
        undo_from(&worker, job->step);
    else
        run_from(&worker, job->step);
    backend_close(&worker.backend);
    _exit(0);
}
