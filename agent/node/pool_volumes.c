#include "node/pool_volumes.h"

#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "node/agent.h"
#include "node/problem.h"
#include "operation/thin_id.h"

#include <stdint.h>
#include <stdio.h>

/* As many as a line of the screen takes. */
#define NAMED_MAX 8
/* Ten times as many would push all else out of the log. */
#define LOGGED_MAX 1000

void pool_volumes_check(struct agent *agent)
{
    CLEANUP_FREE uint32_t *unknown = NULL;
    char names[NAMED_MAX * 12 + 1] = "";
    size_t count, used = 0;
    struct err error;

    if (tasks_learn_thin_ids(agent->tasks, &unknown, &count, &error) < 0) {
        problem_set(agent, "pool-volumes", &error);
        return;
    }
    for (size_t i = 0; i < count && i < NAMED_MAX; i++)
        used +=
            (size_t)snprintf(names + used, sizeof(names) - used, "%s%u", i ? ", " : "", unknown[i]);
    for (size_t i = 0; i < count && i < LOGGED_MAX; i++)
        log_info("the pool has volume %u, which nothing here has made", unknown[i]);
    if (count == 0)
        return;
    err_set(&error, ERR_STORAGE_ERROR,
            "the pool has %zu volume(s) that this node's records do not know (number %s%s): they "
            "are left as they are",
            count, names, count > NAMED_MAX ? ", ..." : "");
    problem_set(agent, "pool-volumes", &error);
}
