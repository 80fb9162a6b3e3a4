#include "backend/sim/moment.h"

#include "backend/sim/folder.h"
#include "base/err.h"
#include "base/memory.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HOLD_INTERVAL_MS 2

static void trace(struct sim *sim, const json_t *node, const char *mark, const char *name)
{
    if (!json_is_true(json_object_get(node, "trace")))
        return;
    CLEANUP_FREE char *path = xasprintf("%s/trace", sim->folder);
    CLEANUP_FREE char *line = xasprintf("%s%s\n", mark, name);
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0)
        (void)!write(fd, line, strlen(line));
}

static json_int_t number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static void count(json_t *calls, const char *name)
{
    json_object_set_new(calls, name, json_integer(number_of(calls, name) + 1));
}

/* Where the settings say so the agent dies, and with it (at once, by the kernel's hand) this
 * worker. true when it is here that the caller is to wait, once it has given up the lock. */
static bool reach(struct sim *sim, json_t *calls, const json_t *node, bool point)
{
    CLEANUP_FREE char *path = xasprintf("%s/calls.json", sim->folder);
    count(calls, "moments");
    if (point)
        count(calls, "points");
    sim_save(path, calls, NULL);
    json_int_t moment = number_of(calls, "moments");
    if (moment == number_of(node, "kill_moment") ||
        (point && number_of(calls, "points") == number_of(node, "kill_at"))) {
        kill(sim->agent, SIGKILL);
        raise(SIGKILL);
    }
    return moment == number_of(node, "hold_moment");
}

static void hold(struct sim *sim)
{
    CLEANUP_FREE char *path = xasprintf("%s/held", sim->folder);
    close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    while (sim_number(sim, "hold_moment", 0) > 0)
        nanosleep(&(struct timespec){.tv_nsec = HOLD_INTERVAL_MS * 1000000L}, NULL);
    unlink(path);
}

static int check_faults(const char *call, json_int_t count, const json_t *node, struct err *err)
{
    size_t index;
    json_t *fault;
    json_array_foreach(json_object_get(node, "fail"), index, fault)
    {
        const char *name = json_string_value(json_object_get(fault, "call"));
        const char *code = json_string_value(json_object_get(fault, "code"));
        const char *message = json_string_value(json_object_get(fault, "message"));
        json_t *nth = json_object_get(fault, "nth"), *times = json_object_get(fault, "times");
        json_int_t from = nth ? json_integer_value(nth) : 1;
        json_int_t to = times ? from + json_integer_value(times) - 1 : count;
        if (name && strcmp(name, call) == 0 && count >= from && count <= to)
            return err_set(err, err_code_from_name(code ? code : "internal"), "%s",
                           message ? message : "an injected fault");
    }
    return 0;
}

static json_t *load_calls(struct sim *sim)
{
    CLEANUP_FREE char *path = xasprintf("%s/calls.json", sim->folder);
    json_t *calls = sim_load(path);
    return calls ? calls : json_object();
}

int sim_enter(struct sim *sim, const char *call, struct err *err)
{
    int lock = sim_lock(sim);
    json_t *calls = load_calls(sim), *node = sim_settings(sim);
    sim->call = call;
    count(calls, call);
    trace(sim, node, "+", call);
    bool held = reach(sim, calls, node, true);
    int result = check_faults(call, number_of(calls, call), node, err);
    json_int_t delay = number_of(json_object_get(node, "delay_ms"), call);
    json_decref(calls);
    json_decref(node);
    close(lock);
    if (held)
        hold(sim);
    if (delay > 0)
        nanosleep(&(struct timespec){.tv_sec = delay / 1000, .tv_nsec = delay % 1000 * 1000000},
                  NULL);
    return result;
}

static void pass(struct sim *sim, const char *mark, const char *name, bool point)
{
    int lock = sim_lock(sim);
    json_t *calls = load_calls(sim), *node = sim_settings(sim);
    trace(sim, node, mark, name);
    bool held = reach(sim, calls, node, point);
    json_decref(calls);
    json_decref(node);
    close(lock);
    if (held)
        hold(sim);
}

void sim_leave(struct sim *sim)
{
    pass(sim, "-", sim->call, true);
}

void sim_moment(struct sim *sim, const char *name)
{
    pass(sim, "", name, false);
}
