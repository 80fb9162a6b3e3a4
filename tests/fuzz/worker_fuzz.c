/* A worker's messages to the parent, while a slice is provisioned or undone: one JSON object in each
 * line. The store is a real one in memory; processes are none. */
#include "base/err.h"
#include "base/ident.h"
#include "base/memory.h"
#include "base/text.h"
#include "capacity/admit.h"
#include "fuzz.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/provision.h"
#include "model/request.h"
#include "model/slice.h"
#include "operation/capacity.h"
#include "operation/operation.h"
#include "operation/task.h"
#include "operation/type.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "plan/slice.h"
#include "plan/steps.h"
#include "task/end.h"
#include "task/link.h"
#include "task/reap.h"
#include "task/room.h"

#include <signal.h>
#include <sys/types.h>

#define fork fuzz_fork
#define kill fuzz_kill
#define waitpid fuzz_waitpid
#define task_put_back fuzz_task_put_back
static pid_t fuzz_fork(void);
static int fuzz_kill(pid_t pid, int signal_number);
static pid_t fuzz_waitpid(pid_t pid, int *status, int options);
static bool fuzz_task_put_back(struct task *task, const struct err *error);
#include "../../agent/task/link.c" /* NOLINT */
#include "../../agent/task/reap.c" /* NOLINT */

#define SLICE "0b6f9c0a-5a3e-4a1e-9f55-0e2c6d9a1b11"
#define IMAGE "9d2b7c44-1f0a-4f7c-8f0e-6a2f1f3c5d77"
#define REQUEST "5d2b7c44-1f0a-4f7c-8f0e-6a2f1f3c5d77"

static bool finished;

static pid_t fuzz_fork(void)
{
    return 1 << 30;
}

static int fuzz_kill(pid_t pid, int signal_number)
{
    (void)pid;
    (void)signal_number;
    return 0;
}

static pid_t fuzz_waitpid(pid_t pid, int *status, int options)
{
    (void)options;
    *status = 0;
    return pid;
}

void worker_run(const struct worker_job *job, int socket)
{
    (void)job;
    (void)socket;
    abort();
}

void task_finish(struct task *task, const struct err *error)
{
    (void)task;
    REQUIRE(error == NULL || error->code != ERR_NONE);
    finished = true;
}

void task_finish_begun(struct task *task, const struct err *error)
{
    struct err err;
    REQUIRE(store_commit(task->tasks->config.store, &err) == 0);
    task_finish(task, error);
}

static bool fuzz_task_put_back(struct task *task, const struct err *error)
{
    (void)task;
    (void)error;
    return false;
}

/* Linked in the place of the node's own (--wrap), which ask a backend. */
int __wrap_tasks_capacity(struct tasks *tasks, const char *except, struct capacity *capacity,
                          struct err *err);
int __wrap_task_disk_capacity(struct tasks *tasks, struct capacity *capacity, struct err *err);

int __wrap_tasks_capacity(struct tasks *tasks, const char *except, struct capacity *capacity,
                          struct err *err)
{
    (void)tasks;
    (void)except;
    (void)err;
    *capacity = (struct capacity){.threads = 4, .storage = true, .disk_bytes = GIB};
    return 0;
}

int __wrap_task_disk_capacity(struct tasks *tasks, struct capacity *capacity, struct err *err)
{
    return __wrap_tasks_capacity(tasks, NULL, capacity, err);
}

static const char *no_ca(void *context)
{
    (void)context;
    return NULL;
}

static void no_kick(struct tasks *tasks)
{
    (void)tasks;
}

static struct tasks *make_tasks(void)
{
    static struct tasks tasks;
    struct err err;
    struct loop *loop = loop_new();

    tasks.config = (struct tasks_config){.loop = loop, .ca = no_ca};
    tasks.kick = no_kick;
    tasks.config.paths.console_dir = "/nonexistent";
    REQUIRE(store_open(":memory:", &tasks.config.store, &err) == 0);
    tasks.config.outbox = outbox_new(tasks.config.store, OUTBOX_EVENTS_MAX);
    return &tasks;
}

static void prepare(struct tasks *tasks, struct task *task)
{
    static const char args[] = "{\"name\":\"web\",\"image\":{\"id\":\"" IMAGE
                               "\",\"url\":\"https://h/i\"},\"vcpus\":1,\"memory_mib\":128,"
                               "\"disk_gib\":1}";
    struct store *store = tasks->config.store;
    struct slice slice;
    struct image image;
    struct err err;

    *task =
        (struct task){.tasks = tasks, .type = operation_row(OP_SLICE_PROVISION), .prepared = true};
    task->record.request =
        (struct request){.operation = OP_SLICE_PROVISION, .args = json_loads(args, 0, NULL)};
    task->record.phase = REQUEST_RUNNING;
    task->record.scratch = json_object();
    copy_text(task->record.request.id, UUID_TEXT_BYTES, REQUEST);
    copy_text(task->record.request.slice, UUID_TEXT_BYTES, SLICE);
    copy_text(task->image, UUID_TEXT_BYTES, IMAGE);
    REQUIRE(provision_parse(SLICE, task->record.request.args, &slice, &image, &err) == 0);
    slice.disk_thin_id = 1;
    slice.seed_thin_id = 2;
    image.thin_id = 3;
    REQUIRE(store_slice_put(store, &slice, &err) == 0 && store_image_put(store, &image, &err) == 0);
    REQUIRE(store_request_add(store, &task->record.request, false, &err) >= 0);
    struct plan_facts facts = {
        .slice = &slice, .image = &image, .image_limit_bytes = GIB, .scratch_id = 4};
    plan_make(plan_provision, &facts, &task->plan);
    slice_free(&slice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tasks *tasks;
    struct task task;
    struct err err;

    if (tasks == NULL)
        tasks = make_tasks();
    finished = false;
    REQUIRE(store_begin(tasks->config.store, &err) == 0);
    prepare(tasks, &task);
    task_spawn(&task);
    while (size > 0 && !finished) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t length = end != NULL ? (size_t)(end - data) : size;
        json_t *message = json_loadb((const char *)data, length, 0, NULL);
        if (json_is_object(message) && task.worker != 0)
            on_message(&task, message);
        json_decref(message);
        data += length;
        size -= length;
        if (size > 0) {
            data++;
            size--;
        }
        REQUIRE(task.record.step <= task.plan.count);
    }
    task_reap(&task);
    plan_free(&task.plan);
    request_record_free(&task.record);
    store_rollback(tasks->config.store);
    return 0;
}
