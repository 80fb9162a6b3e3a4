/* What a slice's change by itself means to the store, the controller and the status screen. */
#include "watch/change.h"

#include "backend/console_log.h"
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/nic.h"
#include "model/slice.h"
#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"
#include "node/status.h"
#include "store/outbox.h"
#include "store/slice_state.h"
#include "task/queue.h"

/* The last lines of a console, 50 or so. With ten times as much 100 crashes would fill a batch of
 * events. */
#define CONSOLE_EVENT_BYTES 4096

bool slice_has_domain(const struct slice *slice)
{
    return slice->state == SLICE_RUNNING || slice->state == SLICE_PAUSED;
}

void slice_changed(struct agent *agent, const struct slice *slice, const char *reason,
                   const struct err *error, const char *console)
{
    slice_state_changed(agent->store, agent->outbox, slice, NULL, reason, error, console);
    outbox_flush(agent->outbox);
    status_changed(agent);
}

char *slice_last_lines(struct agent *agent, const char *slice)
{
    char *text;
    bool truncated;
    if (console_tail(agent->options.console_dir, slice, CONSOLE_EVENT_BYTES, &text, &truncated,
                     NULL) < 0)
        return NULL;
    return text;
}

void slice_fail(struct agent *agent, struct slice *slice, const struct err *error)
{
    CLEANUP_FREE char *console = slice_last_lines(agent, slice->id);
    log_error("slice %s failed: %s: %s", slice->name, err_code_name(error->code), error->message);
    slice->state = SLICE_FAILED;
    slice->error = *error;
    slice_changed(agent, slice, "failed", error, console);
    tasks_submit_internal(agent->tasks, OP_SLICE_STOP, slice->id);
}
