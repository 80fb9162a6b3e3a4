/* sliced: opens everything in order, runs the loop, closes everything. */
#include "api/methods.h"
#include "api/socket.h"
#include "backend/backend.h"
#include "backend/open.h"
#include "base/err.h"
#include "base/file.h"
#include "base/ident.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "conf/conf.h"
#include "node/agent.h"
#include "node/health_watch.h"
#include "node/identity.h"
#include "node/inventory.h"
#include "node/options.h"
#include "node/parameters.h"
#include "node/pool_volumes.h"
#include "node/problem.h"
#include "node/registration.h"
#include "node/status.h"
#include "operation/node.h"
#include "operation/task.h"
#include "process/loop.h"
#include "sliced/lock.h"
#include "sliced/options.h"
#include "store/must.h"
#include "store/outbox.h"
#include "store/store.h"
#include "task/queue.h"
#include "uplink/uplink.h"
#include "version.h"
#include "watch/boots.h"
#include "watch/domains.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* How long the controller waits for a step of a request, so that several travel together: each call
 * takes dom0 as long as a small step does, and a controller of many nodes as well. */
#define EVENTS_LINGER_MS 200

/* --- What the parts tell each other ----------------------------------------------------------- */

static const char *task_ca(void *context)
{
    const struct agent *agent = context;
    return agent->identity.ca[0] ? agent->identity.ca : agent->conf.ca[0] ? agent->conf.ca : NULL;
}

static void register_anew(void *context)
{
    uplink_register(context);
}

/* The result is one event: what does not fit into it comes with a registration. */
static int task_report(void *context, json_t **report, struct err *err)
{
    struct agent *agent = context;
    bool whole;
    if (registration_report(agent, report, &whole, err) < 0)
        return -1;
    if (!whole)
        loop_timer(agent->loop, 0, register_anew, agent);
    return 0;
}

static void task_drained(void *context, bool drained)
{
    struct agent *agent = context;
    agent->draining = drained;
    log_notice(drained ? "drained: no new slices and images until it is taken back"
                       : "not drained any more: new work is taken");
    uplink_drain(agent);
    status_changed(agent);
}

static void task_finished(void *context, const struct request_record *record)
{
    struct agent *agent = context;
    methods_request_finished(agent, record);
    domains_request_finished(agent, record);
    methods_check_shutdown(agent);
    status_changed(agent);
}

static void events_wait(void *context)
{
    struct agent *agent = context;
    agent->events_timer = 0;
    uplink_events(agent);
}

/* Whether an event only says that something goes on: what it comes to follows soon. */
static bool is_in_between(const json_t *event)
{
    const char *type = json_string_value(json_object_get(event, "type"));
    return type && (strcmp(type, "request.accepted") == 0 || strcmp(type, "request.step") == 0);
}

/* The controller gets events only when the transaction that they belong to is surely over: a number
 * that it has seen must not come again with something else. */
static void on_event(void *context, const json_t *event)
{
    struct agent *agent = context;
    bool linger = is_in_between(event);
    if (agent->api)
        api_event(agent->api, event);
    if (agent->events_timer && (linger || !agent->events_linger))
        return;
    loop_cancel(agent->loop, agent->events_timer);
    agent->events_linger = linger;
    agent->events_timer =
        loop_timer(agent->loop, linger ? EVENTS_LINGER_MS : 0, events_wait, agent);
}

/* --- Opening ---------------------------------------------------------------------------------- */

static void make_folder(const char *path, mode_t mode)
{
    if (mkdir(path, mode) < 0 && errno != EEXIST) {
        log_error("cannot make %s: %s", path, strerror(errno));
        exit(1);
    }
}

/* The state folder is on the node's own disk when another file system than the root's is mounted
 * above it: in the image that is the state volume, and the root is RAM. */
static bool on_own_disk(const char *path)
{
    struct stat root, state;
    CLEANUP_FREE char *above = xstrdup(path);
    char *slash = strrchr(above, '/');
    if (slash && slash != above)
        *slash = '\0';
    return stat("/", &root) == 0 && stat(above, &state) == 0 && root.st_dev != state.st_dev;
}

/* Without a disk everything lives in the run folder, that is in RAM, until the next boot. */
static void choose_state(struct agent *agent)
{
    struct options *options = &agent->options;
    bool simulated = strcmp(options->backend, "xen") != 0;
    agent->storage = !options->no_storage && (simulated || on_own_disk(options->state_dir));
    if (!agent->storage) {
        options->state_dir = agent->ram_state_dir = xasprintf("%s/agent", options->run_dir);
        options->console_dir = agent->ram_console_dir = xasprintf("%s/console", options->run_dir);
    }
    make_folder(options->run_dir, 0755);
    make_folder(options->state_dir, 0700);
    make_folder(options->console_dir, 0755);
    if (agent->storage)
        make_folder(options->kernels_dir, 0700);
}

static void read_boot_id(struct agent *agent)
{
    CLEANUP_FREE char *path = xasprintf("%s/sys/kernel/random/boot_id", agent->options.procfs);
    CLEANUP_FREE char *text = NULL, *before = NULL;
    size_t length;
    struct err err;
    if (read_file(path, 256, &text, &length, &err) == 0)
        text[strcspn(text, "\n")] = '\0';
    if (!text || !uuid_valid(text)) {
        log_warning("there is no boot id in %s", path);
        uuid_make(agent->boot_id);
    } else {
        copy_text(agent->boot_id, sizeof(agent->boot_id), text);
    }
    must(store_get(agent->store, "boot_id", &before, &err), &err);
    agent->new_boot = !before || strcmp(before, agent->boot_id) != 0;
}

/* An operator at the console, and a controller that refuses the node, must know which one it is. */
static void tell_who(struct agent *agent)
{
    CLEANUP_FREE char *lost = identity_lost(&agent->identity, agent->options.run_dir);
    struct err err;

    identity_tell(&agent->identity, agent->options.run_dir);
    if (!lost)
        return;
    err_set(&err, ERR_STORAGE_ERROR,
            "this was node %s, by the label on its disk; what it kept is lost or missing, and it "
            "has to "
            "enrol anew",
            lost);
    problem_set(agent, "lost", &err);
}

static void open_store(struct agent *agent)
{
    CLEANUP_FREE char *path = xasprintf("%s/sliced.db", agent->options.state_dir);
    CLEANUP_FREE char *identity = xasprintf("%s/identity", agent->options.state_dir);
    struct err err;
    agent->lock = state_lock(agent->options.state_dir);
    must(store_open(path, &agent->store, &err), &err);
    must(identity_load(&agent->identity, identity, &err), &err);
    agent->outbox = outbox_new(agent->store, agent->options.events_max);
    outbox_listen(agent->outbox, on_event, agent);
    read_boot_id(agent);
}

static void open_tasks(struct agent *agent)
{
    const struct options *options = &agent->options;
    struct err err;
    struct tasks_config config = {.loop = agent->loop,
                                  .store = agent->store,
                                  .outbox = agent->outbox,
                                  .backend = &agent->backend,
                                  .backend_options = {.kind = options->backend,
                                                      .pool = options->pool,
                                                      .storage = agent->storage,
                                                      .console_dir = options->console_dir,
                                                      .sim_dir = options->sim_dir,
                                                      .parent = getpid(),
                                                      .store = agent->store},
                                  .paths = {.libexec = options->libexec,
                                            .kernels_dir = options->kernels_dir,
                                            .console_dir = options->console_dir,
                                            .grub_dir = options->grub_dir},
                                  .workers = options->workers,
                                  .lock = agent->lock,
                                  .context = agent,
                                  .ca = task_ca,
                                  .report = task_report,
                                  .boot_id = agent->boot_id,
                                  .drained = task_drained,
                                  .finished = task_finished,
                                  .domain_starting = boots_begin};
    must(backend_open(&config.backend_options, &agent->backend, &err), &err);
    agent->tasks = tasks_new(&config);
    agent->draining = tasks_drained(agent->tasks);
}

/* Slices run all the same, but slowly when they are many. */
static void prefer_host(struct agent *agent)
{
    struct hypervisor *hypervisor = &agent->backend.hypervisor;
    struct err err;
    if (hypervisor->prefer_host(hypervisor->state, &err) == 0)
        return;
    err_context(&err, "slices come before the node's own work");
    problem_set(agent, "scheduler", &err);
}

/* --- Running ---------------------------------------------------------------------------------- */

static void on_signal(void *context, int fd, short events)
{
    struct agent *agent = context;
    struct signalfd_siginfo info;
    (void)events;
    if (read(fd, &info, sizeof(info)) != sizeof(info))
        return;
    log_info("signal %u: leaving; slices go on", info.ssi_signo);
    loop_stop(agent->loop);
}

static int open_signals(struct agent *agent)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    loop_watch(agent->loop, fd, POLLIN, on_signal, agent);
    return fd;
}

static void close_all(struct agent *agent)
{
    uplink_close(agent);
    api_close(agent->api);
    agent->api = NULL;
    tasks_free(agent->tasks); /* ends the workers: recovery goes on at the next start */
    boots_close(agent);
    domains_close(agent);
    health_close(agent);
    outbox_free(agent->outbox);
    store_close(agent->store);
    backend_close(&agent->backend);
    identity_free(&agent->identity);
    conf_values_free(&agent->conf);
    loop_free(agent->loop);
    close(agent->lock);
    free(agent->ram_state_dir);
    free(agent->ram_console_dir);
}

int main(int argc, char **argv)
{
    struct agent agent = {.version = SLICENODE_VERSION, .session = "offline"};
    struct err err;
    options_parse(argc, argv, &agent.options);
    log_open("sliced", agent.options.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
             agent.options.console);
    log_never_waits();
    umask(0077);
    json_object_seed(0);
    agent.loop = loop_new();
    int signals = open_signals(&agent);
    choose_state(&agent);
    conf_read(agent.options.run_dir, &agent.conf);
    health_make_room(&agent);
    open_store(&agent);
    open_tasks(&agent);
    must(methods_open(&agent, &err), &err);
    log_info("version %s, boot %s%s", agent.version, agent.boot_id,
             agent.storage ? "" : ", no storage");
    prefer_host(&agent);
    conf_problems(&agent);
    inventory_problems(&agent);
    tell_who(&agent);
    health_open(&agent);
    domains_load(&agent);
    pool_volumes_check(&agent);
    /* Only now: killed before, the next start must still see that the boot is new. */
    must(store_set(agent.store, "boot_id", agent.boot_id, &err), &err);
    must(tasks_recover(agent.tasks, &err), &err);
    domains_open(&agent);
    uplink_open(&agent);
    status_changed(&agent);
    loop_run(agent.loop);
    close(signals);
    close_all(&agent);
    return 0;
}
