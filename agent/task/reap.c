/* The end of a worker, and of a task. */
#include "task/reap.h"

#include "base/memory.h"
#include "operation/task.h"
#include "operation/type.h"
#include "plan/steps.h"
#include "process/loop.h"
#include "process/wire.h"
#include "store/store.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int task_reap(struct task *task)
{
    int status = 0;
    if (!task->worker)
        return 0;
    kill(task->worker, SIGKILL);
    while (waitpid(task->worker, &status, 0) < 0 && errno == EINTR)
        ;
    loop_unwatch(task->tasks->config.loop, task->wire.fd);
    close(task->wire.fd);
    wire_free(&task->wire);
    task->worker = 0;
    task->tasks->running--;
    return status;
}

void task_free(struct task *task)
{
    task_reap(task);
    loop_cancel(task->tasks->config.loop, task->timer);
    loop_cancel(task->tasks->config.loop, task->retry_timer);
    cleanup_close(&task->output);
    request_record_free(&task->record);
    plan_free(&task->plan);
    free(task);
}
