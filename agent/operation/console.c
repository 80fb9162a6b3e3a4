/* slice.console. */
#include "operation/console.h"

#include "backend/console_log.h"
#include "base/err.h"
#include "base/memory.h"
#include "model/arguments.h"
#include "model/nic.h"
#include "model/slice.h"
#include "operation/task.h"
#include "operation/type.h"
#include "plan/facts.h"

/* As JSON, where a byte may become six: of a console that is all escapes the older part is cut,
 * which the answer says. */
#define CONSOLE_ANSWER_BYTES (2u << 20)

bool console_args(const struct task *task, struct console_args *args)
{
    return console_parse(task->record.request.args, args, NULL) == 0;
}

static bool console_stays(const struct task *task)
{
    struct console_args args;
    return console_args(task, &args) && args.follow_seconds > 0;
}

static int console_prepare(struct task *task, struct slice *slice, struct plan_facts *facts,
                           struct err *err)
{
    struct console_args args;
    (void)slice;
    (void)facts;
    return console_parse(task->record.request.args, &args, err);
}

static int console_answer(struct task *task, json_t **result, struct err *err)
{
    struct console_args args;
    bool truncated = false;
    if (console_parse(task->record.request.args, &args, err) < 0)
        return -1;
    for (unsigned bytes = args.bytes;; bytes /= 2) {
        CLEANUP_FREE char *text = NULL;
        if (console_tail(task->tasks->config.paths.console_dir, task->record.request.slice, bytes,
                         &text, &truncated, err) < 0) {
            if (args.follow_seconds == 0)
                return -1;
            text = xstrdup(""); /* nothing was said all the time, or the slice has gone */
        }
        *result = json_pack("{s:s, s:b}", "console", text, "truncated", truncated);
        /* Control characters grow sixfold in JSON; the answer must fit in a message. */
        if (json_dumpb(*result, NULL, 0, JSON_COMPACT) <= CONSOLE_ANSWER_BYTES)
            return 0;
        json_decref(*result);
        *result = NULL;
    }
}

const struct operation_type operation_slice_console = {
    .traits = OPERATION_LOOKS,
    .needs = NEEDS_SLICE,
    .prepare = console_prepare,
    .answer = console_answer,
    .stays = console_stays,
};
