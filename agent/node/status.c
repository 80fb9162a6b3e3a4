/* What the operator sees on the status screen: RUN_DIR/status/40-agent, 50-slices, 90-problems. */
#include "node/status.h"

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/nic.h"
#include "model/slice.h"
#include "node/agent.h"
#include "node/identity.h"
#include "node/parameters.h"
#include "node/problem.h"
#include "process/loop.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define REWRITE_DELAY_MS 100
/* Lines of a screen; the next one says how many more there are. */
#define SLICES_SHOWN 16
/* Likewise; the last ones. */
#define PROBLEMS_SHOWN 6

static void write_status(struct agent *agent, const char *name, const char *text, size_t length)
{
    CLEANUP_FREE char *path = xasprintf("%s/status/%s", agent->options.run_dir, name);
    char *before;
    size_t before_length;
    struct err err;
    if (read_file(path, 1u << 20, &before, &before_length, NULL) == 0) {
        bool same = before_length == length && memcmp(before, text, length) == 0;
        free(before);
        if (same)
            return;
    }
    if (write_file(path, text, length, 0644, &err) < 0)
        log_warning("%s", err.message);
}

static void write_agent(struct agent *agent)
{
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);
    const struct identity *identity = &agent->identity;
    fprintf(stream, "node: %s\n", identity->node_id[0] ? identity->node_id : "not enrolled");
    fprintf(stream, "controller: %s\n",
            agent->conf.controller[0] ? agent->conf.controller : "none given");
    fprintf(stream, "session: %s\n", agent->session);
    fclose(stream);
    write_status(agent, "40-agent", text, length);
    free(text);
}

static void write_slices(struct agent *agent)
{
    char *text = NULL;
    size_t length, count;
    const struct slice *const *slices;
    if (store_slices(agent->store, &slices, &count, NULL) < 0)
        return;
    FILE *stream = open_memstream(&text, &length);
    unsigned running = 0;
    for (size_t i = 0; i < count; i++)
        running += slices[i]->state == SLICE_RUNNING;
    fprintf(stream, "slices: %zu, %u running\n", count, running);
    for (size_t i = 0; i < count && i < SLICES_SHOWN; i++)
        fprintf(stream, "slice: %s %s, %u vcpus, %llu MiB, %llu GiB\n", slices[i]->name,
                slice_state_name(slices[i]->state), slices[i]->vcpus,
                (unsigned long long)slices[i]->memory_mib, (unsigned long long)slices[i]->disk_gib);
    if (count > SLICES_SHOWN)
        fprintf(stream, "slice: %zu more, see slicectl slices\n", count - SLICES_SHOWN);
    fclose(stream);
    write_status(agent, "50-slices", text, length);
    free(text);
}

static void write_problems(struct agent *agent)
{
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);
    unsigned first =
        agent->problem_count > PROBLEMS_SHOWN ? agent->problem_count - PROBLEMS_SHOWN : 0;
    if (first > 0)
        fprintf(stream, "problem: %u more, see slicectl status\n", first);
    for (unsigned i = first; i < agent->problem_count; i++)
        fprintf(stream, "problem: %s: %s\n", err_code_name(agent->problems[i].error.code),
                agent->problems[i].error.message);
    fclose(stream);
    write_status(agent, "90-problems", text, length);
    free(text);
}

static void rewrite(void *context)
{
    struct agent *agent = context;
    CLEANUP_FREE char *folder = xasprintf("%s/status", agent->options.run_dir);
    agent->status_timer = 0;
    if (mkdir(folder, 0755) < 0 && errno != EEXIST)
        log_warning("cannot make %s: %s", folder, strerror(errno));
    write_agent(agent);
    write_slices(agent);
    write_problems(agent);
}

void status_changed(struct agent *agent)
{
    if (!agent->status_timer)
        agent->status_timer = loop_timer(agent->loop, REWRITE_DELAY_MS, rewrite, agent);
}

void status_session(struct agent *agent, const char *state)
{
    agent->session = state;
    status_changed(agent);
}
