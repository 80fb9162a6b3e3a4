/* A slice's new state, and the slice as an answer. */
#include "operation/slice_result.h"

#include "backend/console_log.h"
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/nic.h"
#include "model/protocol.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "operation/task.h"
#include "operation/type.h"
#include "store/must.h"
#include "store/slice_state.h"
#include "store/store.h"

#include <stdlib.h>

/* As in watch/change.c. */
#define CONSOLE_EVENT_BYTES 4096
/* Of a slice with more, a result does not list them: 170 bytes each, and an event is sent in one
 * piece. The controller keeps what it knows of them. */
#define RESULT_SNAPSHOTS_MAX 1000

void slice_set_state(struct task *task, struct slice *slice, enum slice_state state,
                     const char *reason)
{
    CLEANUP_FREE char *console = NULL;
    bool truncated;
    slice->state = state;
    /* Why a slice has failed often stands on its console. */
    if (state == SLICE_FAILED && slice->error.code != ERR_NONE &&
        console_tail(task->tasks->config.paths.console_dir, slice->id, CONSOLE_EVENT_BYTES,
                     &console, &truncated, NULL) < 0)
        console = NULL;
    slice_state_changed(task->tasks->config.store, task->tasks->config.outbox, slice,
                        task->record.internal ? NULL : task->record.request.id, reason,
                        &slice->error, console);
    log_notice("slice %s %s", slice->name, slice_state_name(state));
    slice_free(slice);
}

json_t *task_slice_result(struct task *task)
{
    struct slice slice;
    struct snapshot *snapshots;
    size_t count;
    struct err err;
    if (!task_slice_find(task, &slice))
        return NULL;
    must(store_snapshots(task->tasks->config.store, slice.id, &snapshots, &count, &err), &err);
    bool all = count <= RESULT_SNAPSHOTS_MAX;
    json_t *result = slice_to_protocol(&slice, snapshots, all ? count : 0);
    if (!all)
        json_object_del(result, "snapshots");
    free(snapshots);
    slice_free(&slice);
    return result;
}
