#include "be_sim.h"

#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HOLD_INTERVAL_MS 2

json_t *sim_load(const char *path)
{
    return json_load_file(path, 0, NULL);
}

int sim_save(const char *path, const json_t *object, struct err *err)
{
    CLEANUP_FREE char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    CLEANUP_FREE char *part = xasprintf("%s.%d", path, (int)getpid());
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int written = fd < 0 ? -1 : write_full(fd, text, strlen(text));
    if (fd >= 0)
        close(fd);
    if (written < 0 || rename(part, path) < 0)
        return err_errno(err, ERR_INTERNAL, errno, "cannot write %s", path);
    return 0;
}

int sim_lock(struct sim *sim)
{
    CLEANUP_FREE char *path = xasprintf("%s/lock", sim->folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    while (fd >= 0 && flock(fd, LOCK_EX) < 0 && errno == EINTR)
        ;
    return fd;
}

static json_t *settings(struct sim *sim)
{
    CLEANUP_FREE char *path = xasprintf("%s/node.json", sim->folder);
    return sim_load(path);
}

json_int_t sim_number(struct sim *sim, const char *name, json_int_t usual)
{
    json_t *node = settings(sim), *value = json_object_get(node, name);
    json_int_t number = json_is_integer(value) ? json_integer_value(value) : usual;
    json_decref(node);
    return number;
}

bool sim_flag(struct sim *sim, const char *name, bool usual)
{
    json_t *node = settings(sim), *value = json_object_get(node, name);
    bool flag = json_is_boolean(value) ? json_is_true(value) : usual;
    json_decref(node);
    return flag;
}

char *sim_text(struct sim *sim, const char *name)
{
    json_t *node = settings(sim);
    const char *value = json_string_value(json_object_get(node, name));
    char *text = value ? xstrdup(value) : NULL;
    json_decref(node);
    return text;
}

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

/* Where the settings say so the agent dies, and with it (at once, by the kernel's hand) this worker.
 * true when it is here that the caller is to wait, once it has given up the lock. */
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
    json_t *calls = load_calls(sim), *node = settings(sim);
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
    json_t *calls = load_calls(sim), *node = settings(sim);
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

static int sim_bridge(void *state, const struct nic *nic, char name[static NIC_NAME_BYTES],
                      struct err *err)
{
    if (sim_enter(state, "bridge", err) < 0)
        return -1;
    copy_text(name, NIC_NAME_BYTES, nic->bridge[0] ? nic->bridge : "xenbr0");
    sim_leave(state);
    return 0;
}

static void sim_close(void *state)
{
    struct sim *sim = state;
    sim_watch_commits(NULL);
    if (sim->watch >= 0)
        close(sim->watch);
    free(sim->folder);
    free(sim);
}

int backend_open(const struct backend_options *options, struct backend *backend, struct err *err)
{
    static pid_t agent;
    static const char *const folders[] = {"", "/domains", "/volumes", "/active"};
    memset(backend, 0, sizeof(*backend));
    if (strcmp(options->kind, "sim") != 0 || !options->sim_dir)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "unknown backend %s: this program has sim, with --sim FOLDER",
                       options->kind);
    for (size_t i = 0; i < ARRAY_LENGTH(folders); i++) {
        CLEANUP_FREE char *path = xasprintf("%s%s", options->sim_dir, folders[i]);
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return err_errno(err, ERR_INTERNAL, errno, "cannot make %s", path);
    }
    bool first = !agent;
    if (first)
        agent = getpid();
    struct sim *sim = xcalloc(1, sizeof(*sim));
    sim->folder = xstrdup(options->sim_dir);
    sim->console_dir = options->console_dir;
    sim->agent = agent;
    sim->watch = -1;
    if (options->storage)
        sim_storage(sim, &backend->storage);
    if (!options->pool_only) {
        sim_hypervisor(sim, &backend->hypervisor);
        backend->network = (struct network){.state = sim, .bridge = sim_bridge, .close = NULL};
        backend->hypervisor.close = sim_close;
    } else if (options->storage) {
        backend->storage.close = sim_close;
    } else {
        sim_close(sim);
    }
    if (first)
        sim_watch_commits(sim);
    return 0;
}

void backend_close(struct backend *backend)
{
    if (backend->storage.close)
        backend->storage.close(backend->storage.state);
    if (backend->hypervisor.close)
        backend->hypervisor.close(backend->hypervisor.state);
    memset(backend, 0, sizeof(*backend));
}
