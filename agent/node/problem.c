/* What is wrong with the node now: on the console, in the log, as an event, in the registration and
 * on the status screen. */
#include "node/problem.h"

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "node/agent.h"
#include "node/parameters.h"
#include "node/status.h"
#include "store/outbox.h"

#include <string.h>

#define MORE_KEY "more"

static struct problem *problem_find(struct agent *agent, const char *key)
{
    for (unsigned i = 0; i < agent->problem_count; i++)
        if (strcmp(agent->problems[i].key, key) == 0)
            return &agent->problems[i];
    return NULL;
}

/* Told once, in the last place; it is over when there is room again. */
static void too_many(struct agent *agent)
{
    struct err error;
    err_set(&error, ERR_INTERNAL,
            "more than %d things are wrong; others are told when some of these are over",
            PROBLEMS_MAX - 1);
    problem_set(agent, MORE_KEY, &error);
}

void problem_set(struct agent *agent, const char *key, const struct err *error)
{
    struct problem *problem = problem_find(agent, key);
    if (problem && problem->error.code == error->code &&
        strcmp(problem->error.message, error->message) == 0)
        return;
    if (!problem) {
        if (agent->problem_count >= PROBLEMS_MAX - 1 && strcmp(key, MORE_KEY) != 0) {
            too_many(agent);
            return;
        }
        problem = &agent->problems[agent->problem_count++];
        copy_text(problem->key, sizeof(problem->key), key);
    }
    problem->error = *error;
    log_error("%s: %s", err_code_name(error->code), error->message);
    outbox_add(agent->outbox, EVENT(.type = "node.problem", .error = error));
    outbox_flush(agent->outbox);
    status_changed(agent);
}

void problem_clear(struct agent *agent, const char *key)
{
    struct problem *problem = problem_find(agent, key);
    if (!problem)
        return;
    struct err error = problem->error;
    *problem = agent->problems[--agent->problem_count];
    log_notice("over: %s", error.message);
    json_t *over = json_pack("{s:b}", "over", 1);
    outbox_add(agent->outbox, EVENT(.type = "node.problem", .result = over, .error = &error));
    json_decref(over);
    outbox_flush(agent->outbox);
    status_changed(agent);
    if (strcmp(key, MORE_KEY) != 0 && agent->problem_count < PROBLEMS_MAX)
        problem_clear(agent, MORE_KEY);
}

bool problem_known(const struct agent *agent, const char *key)
{
    for (unsigned i = 0; i < agent->problem_count; i++)
        if (strcmp(agent->problems[i].key, key) == 0)
            return true;
    return false;
}

json_t *problems_json(const struct agent *agent)
{
    json_t *problems = json_array();
    for (unsigned i = 0; i < agent->problem_count; i++)
        json_array_append_new(problems, err_to_json(&agent->problems[i].error));
    return problems;
}
