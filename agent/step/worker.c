/* The child's side: walks through the plan, asking the parent before each step. */
#include "step/worker.h"

#include "backend/backend.h"
#include "backend/open.h"
#include "base/err.h"
#include "base/log.h"
#include "plan/steps.h"
#include "process/wire.h"
#include "step/context.h"
#include "step/step.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* How often a step that must succeed is tried by one worker, and the pause before the second time;
 * it doubles from there. */
#define STEP_TRIES 3
#define TRY_PAUSE_MS 100
#define FIRST_FREE_DESCRIPTOR 6

struct worker {
    const struct worker_job *job;
    struct wire wire;
    struct backend backend;
    struct step_context context;
};

/* Without the parent nothing may go on: its successor takes over from what is recorded. */
static void worker_tell(struct worker *worker, json_t *message)
{
    if (wire_send(&worker->wire, message, NULL) < 0)
        _exit(1);
    json_decref(message);
}

static json_t *worker_ask(struct worker *worker, json_t *message)
{
    json_t *answer;
    worker_tell(worker, message);
    if (wire_receive(&worker->wire, -1, &answer, NULL) != 1)
        _exit(1);
    return answer;
}

static void worker_progress(void *argument, int percent, uint64_t mapped_bytes)
{
    worker_tell(argument, json_pack("{s:s, s:i, s:I}", "type", "progress", "percent", percent,
                                    "mapped", (json_int_t)mapped_bytes));
}

/* true when the step may be tried once more. */
static bool try_again(const char *what, const struct step *step, unsigned *tries,
                      const struct err *error)
{
    log_error("cannot %s %s: %s: %s", what, step_name(step->kind), err_code_name(error->code),
              error->message);
    if (++*tries >= STEP_TRIES)
        return false;
    long pause_ms = TRY_PAUSE_MS << (*tries - 1);
    nanosleep(&(struct timespec){.tv_nsec = pause_ms * 1000000}, NULL);
    return true;
}

/* `output` is what the step before has given: it travels with the question for this one, so that
 * the parent records both in one transaction. It is taken over, and replaced by this step's. */
static int run_step(struct worker *worker, unsigned index, json_t **output, struct err *err)
{
    const struct step *step = &worker->job->plan->steps[index];
    json_t *question = json_pack("{s:s, s:i}", "type", "begin", "step", (int)index);
    if (*output)
        json_object_set_new(question, "output", *output);
    *output = NULL;
    json_t *answer = worker_ask(worker, question);
    const char *code = json_string_value(json_object_get(answer, "code"));
    if (code) {
        err_set(err, err_code_from_name(code), "%s",
                json_string_value(json_object_get(answer, "message")));
        json_decref(answer);
        return -1;
    }
    json_decref(answer);
    *output = json_object();
    unsigned tries = 0;
    do {
        json_object_clear(*output);
        worker->context.begun = tries > 0 || (worker->job->resumed && index == worker->job->step);
        if (step_run(step, &worker->context, *output, err) == 0)
            return 0;
        /* Before the point of no return a failure costs little: all is taken back. */
    } while (!worker->context.foreign && index >= worker->job->plan->forward_from &&
             try_again("do", step, &tries, err));
    json_decref(*output);
    *output = NULL;
    return -1;
}

static void undo_step(struct worker *worker, unsigned index)
{
    const struct step *step = &worker->job->plan->steps[index];
    unsigned tries = 0;
    struct err err;
    json_t *answer =
        worker_ask(worker, json_pack("{s:s, s:i}", "type", "undo", "step", (int)index));
    bool keep = json_is_true(json_object_get(answer, "keep"));
    json_decref(answer);
    if (keep)
        return;
    while (step_undo(step, &worker->context, &err) < 0) {
        if (try_again("undo", step, &tries, &err))
            continue;
        /* The parent starts another worker later, from this step. */
        json_decref(worker_ask(worker, json_pack("{s:s, s:i, s:s, s:s}", "type", "residue", "step",
                                                 (int)index, "code", err_code_name(err.code),
                                                 "message", err.message)));
        _exit(1);
    }
}

static void undo_from(struct worker *worker, unsigned index)
{
    for (unsigned k = index + 1; k-- > 0;) {
        if (k < index && step_is_final(worker->job->plan->steps[k].kind))
            break;
        undo_step(worker, k);
    }
    worker_tell(worker, json_pack("{s:s}", "type", "undone"));
}

static void run_from(struct worker *worker, unsigned index)
{
    json_t *output = NULL;
    for (unsigned k = index; k < worker->job->plan->count; k++) {
        struct err err = {0};
        if (run_step(worker, k, &output, &err) == 0)
            continue;
        json_t *answer =
            worker_ask(worker, json_pack("{s:s, s:i, s:s, s:s, s:b}", "type", "failed", "step",
                                         (int)k, "code", err_code_name(err.code), "message",
                                         err.message, "foreign", worker->context.foreign));
        if (json_is_true(json_object_get(answer, "undo")))
            undo_from(worker, worker->context.foreign ? k - 1 : k);
        json_decref(answer);
        return;
    }
    json_t *done = json_pack("{s:s}", "type", "done");
    if (output)
        json_object_set_new(done, "output", output);
    worker_tell(worker, done);
}

/* Keeps nothing of the parent's but the wire as 3, the lock, which programs that it runs do not
 * get, as 4 and, where there is one, an export's output as 5. */
static void leave_parent(int socket, int lock, int *output)
{
    sigset_t none;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_IGN);
    log_open("sliced", LOG_LEVEL_INFO, NULL);
    bool keep = *output >= 0;
    int kept = keep ? fcntl(*output, F_DUPFD_CLOEXEC, FIRST_FREE_DESCRIPTOR) : -1;
    lock = fcntl(lock, F_DUPFD_CLOEXEC, FIRST_FREE_DESCRIPTOR);
    if (lock < 0 || (keep && kept < 0) || dup2(socket, 3) < 0 || dup3(lock, 4, O_CLOEXEC) < 0 ||
        (keep && dup2(kept, 5) < 0))
        _exit(1);
    syscall(SYS_close_range, keep ? 6u : 5u, ~0u, 0u);
    *output = keep ? 5 : -1;
}

void worker_run(const struct worker_job *job, int socket)
{
    struct worker worker = {.job = job};
    struct err err;
    int output = job->output;
    struct backend_options options = job->backend;
    options.pool_only = plan_is_of_pool(job->plan);
    leave_parent(socket, job->lock, &output);
    wire_init(&worker.wire, 3);
    if (backend_open(&options, &worker.backend, &err) < 0) {
        log_error("a worker cannot open the backend: %s", err.message);
        json_decref(
            worker_ask(&worker, json_pack("{s:s, s:s, s:s}", "type", "closed", "code",
                                          err_code_name(err.code), "message", err.message)));
        _exit(1);
    }
    worker.context =
        (struct step_context){.backend = &worker.backend,
                              .paths = job->paths,
                              .slice = job->slice,
                              .image = job->image,
                              .volumes = job->volumes,
                              .volume_count = job->volume_count,
                              .export = job->more.has_export ? &job->more.export : NULL,
                              .snapshot = job->more.has_snapshot ? &job->more.snapshot : NULL,
                              .output = output,
                              .ca = job->ca,
                              .progress = worker_progress,
                              .argument = &worker};
    if (job->undoing)
        undo_from(&worker, job->step);
    else
        run_from(&worker, job->step);
    _exit(0); /* which closes the backend, too */
}
