/* Watches the slices' domains: adopts those that run, restarts what ended by itself as it should,
 * and starts what is desired to run. */
#include "watch/domains.h"

#include "backend/backend.h"
#include "backend/console_log.h"
#include "backend/domain_list.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/nic.h"
#include "model/request.h"
#include "model/slice.h"
#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"
#include "operation/task.h"
#include "process/loop.h"
#include "store/must.h"
#include "store/store.h"
#include "task/follow.h"
#include "task/queue.h"
#include "watch/boots.h"
#include "watch/change.h"
#include "watch/crashes.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_INTERVAL_MS 10000 /* besides the hypervisor's own notices */
#define QUICK_REBOOT_MS 30000   /* a reboot so soon counts as a crash: kernels that panic reboot */

struct watched {
    char slice[UUID_TEXT_BYTES];
    bool adopting; /* known before this process started, and not looked at yet */
    struct watched *next;
};

struct domains {
    struct watched *watched;
    unsigned check_timer;
    bool shutting_down;
};

static struct watched *watch_slice(struct agent *agent, const char *slice)
{
    struct domains *domains = agent->domains;
    for (struct watched *watched = domains->watched; watched; watched = watched->next)
        if (strcmp(watched->slice, slice) == 0)
            return watched;
    struct watched *watched = xcalloc(1, sizeof(*watched));
    copy_text(watched->slice, sizeof(watched->slice), slice);
    watched->next = domains->watched;
    domains->watched = watched;
    return watched;
}

static void forget(struct domains *domains, const char *slice)
{
    for (struct watched **place = &domains->watched; *place; place = &(*place)->next) {
        if (strcmp((*place)->slice, slice) == 0) {
            struct watched *watched = *place;
            *place = watched->next;
            free(watched);
            return;
        }
    }
}

/* --- What a slice's end means ----------------------------------------------------------------- */

static void crashed(struct agent *agent, struct slice *slice, const char *what)
{
    struct err error;
    unsigned crashes = crashes_note(agent, slice->id);
    if (!slice->restart_on_crash) {
        err_set(&error, ERR_HYPERVISOR_ERROR, "the slice %s; it is not to be restarted", what);
        slice_fail(agent, slice, &error);
        return;
    }
    if (crashes >= CRASHES_MAX) {
        err_set(&error, ERR_CRASH_LOOP, "the slice %s, for the %dth time within %d minutes", what,
                CRASHES_MAX, CRASHES_WITHIN_MS / 60000);
        slice_fail(agent, slice, &error);
        return;
    }
    CLEANUP_FREE char *console = slice_last_lines(agent, slice->id);
    err_set(&error, ERR_HYPERVISOR_ERROR, "the slice %s; it is restarted", what);
    log_error("slice %s: %s", slice->name, error.message);
    slice->state = SLICE_STOPPED;
    slice_changed(agent, slice, "crashed", &error, console);
    tasks_submit_internal(agent->tasks, OP_SLICE_REBOOT, slice->id);
}

/* One whose memory was being saved, by a request that has ended since: nobody else lets it go
 * on. */
static void go_on(struct agent *agent, const struct slice *slice)
{
    struct hypervisor *hypervisor = &agent->backend.hypervisor;
    struct err err;
    log_warning("slice %s stands suspended without a request; it goes on", slice->name);
    if (hypervisor->domain_resume(hypervisor->state, slice->id, &err) < 0)
        log_error("slice %s: %s", slice->name, err.message);
}

static void ended(struct agent *agent, struct slice *slice, enum shutdown_reason reason)
{
    uint64_t age = boots_age_ms(agent, slice->id);
    struct err error;
    if (reason == SHUTDOWN_SUSPEND) {
        go_on(agent, slice);
        return;
    }
    if (boots_failed(agent, slice->id, &error)) {
        slice_fail(agent, slice, &error);
        return;
    }
    if (reason == SHUTDOWN_POWEROFF) {
        slice->desired_running = false;
        slice->state = SLICE_STOPPED;
        slice_changed(agent, slice, "powered_off", NULL, NULL);
        tasks_submit_internal(agent->tasks, OP_SLICE_STOP, slice->id);
    } else if (reason == SHUTDOWN_REBOOT && age >= QUICK_REBOOT_MS) {
        log_info("slice %s reboots", slice->name);
        tasks_submit_internal(agent->tasks, OP_SLICE_REBOOT, slice->id);
    } else if (reason == SHUTDOWN_REBOOT) {
        if (crashes_recent(agent, slice->id) + 1 >= CRASHES_MAX) {
            crashed(agent, slice, "rebooted again at once");
            return;
        }
        crashes_note(agent, slice->id);
        tasks_submit_internal(agent->tasks, OP_SLICE_REBOOT, slice->id);
    } else {
        crashed(agent, slice, reason == SHUTDOWN_CRASH ? "crashed" : "ended for a reason unknown");
    }
}

/* --- The look at all domains ------------------------------------------------------------------ */

static void without_domain(struct agent *agent, struct slice *slice, bool adopting)
{
    if (slice_has_domain(slice) && !agent->domains->shutting_down) {
        slice->domain_id = -1;
        crashed(agent, slice, "vanished: its domain was destroyed from outside");
        return;
    }
    bool again = slice->state == SLICE_STOPPED || (slice->state == SLICE_FAILED && agent->new_boot);
    if (adopting && again && slice->desired_running)
        tasks_submit_internal(agent->tasks, OP_SLICE_START, slice->id);
}

static void with_domain(struct agent *agent, struct slice *slice, const struct domain_info *domain)
{
    enum slice_state state = domain->state == DOMAIN_PAUSED ? SLICE_PAUSED : SLICE_RUNNING;
    if (domain->state == DOMAIN_DYING)
        return;
    if (domain->state == DOMAIN_SHUTDOWN) {
        if (!agent->domains->shutting_down)
            ended(agent, slice, domain->reason);
        return;
    }
    if (slice->domain_id != domain->domain_id)
        slice->domain = (struct domain_size){0};
    if (slice->state != state || slice->domain_id != domain->domain_id) {
        slice->state = state;
        slice->domain_id = domain->domain_id;
        slice_changed(agent, slice, "adopted", NULL, NULL);
    }
}

static void check_stranger(struct agent *agent, const struct domain_info *domain)
{
    struct err error;
    char key[64];
    if (tasks_slice_busy(agent->tasks, domain->slice))
        return;
    snprintf(key, sizeof(key), "domain-%s", domain->slice);
    err_set(&error, ERR_HYPERVISOR_ERROR,
            "domain %d (%s) belongs to no slice that the node knows; it is left alone",
            domain->domain_id, domain->slice);
    problem_set(agent, key, &error);
}

/* `domain` is NULL when there is none. */
static void check_slice(struct agent *agent, const char *id, const struct domain_info *domain)
{
    struct slice slice;
    struct err err;
    if (tasks_slice_busy(agent->tasks, id) ||
        must(store_slice_find(agent->store, id, &slice, &err), &err) == 0)
        return;
    struct watched *watched = watch_slice(agent, id);
    if (domain)
        with_domain(agent, &slice, domain);
    else
        without_domain(agent, &slice, watched->adopting);
    watched->adopting = false;
    slice_free(&slice);
}

void domains_check(struct agent *agent)
{
    struct hypervisor *hypervisor = &agent->backend.hypervisor;
    CLEANUP_FREE struct domain_info *list = NULL;
    CLEANUP_FREE bool *known = NULL;
    CLEANUP_FREE char(*ids)[UUID_TEXT_BYTES] = NULL;
    size_t count, slice_count;
    struct err err;
    if (hypervisor->domain_list(hypervisor->state, &list, &count, &err) < 0) {
        log_error("cannot list the domains: %s", err.message);
        return;
    }
    must(store_slice_ids(agent->store, &ids, &slice_count, &err), &err);
    known = xcalloc(count + 1, sizeof(*known));
    for (size_t i = 0; i < slice_count; i++) {
        size_t some, first = domain_list_find(list, count, ids[i], &some);
        memset(known + first, true, some);
        check_slice(agent, ids[i], some ? &list[first + some - 1] : NULL);
    }
    for (size_t k = 0; k < count; k++)
        if (!known[k])
            check_stranger(agent, &list[k]);
}

/* --- When to look ----------------------------------------------------------------------------- */

static void console_moved(void *context, const char *slice, uint64_t size)
{
    struct agent *agent = context;
    tasks_console_moved(agent->tasks, slice, size);
}

static void check_tick(void *context)
{
    struct agent *agent = context;
    agent->domains->check_timer = loop_timer(agent->loop, CHECK_INTERVAL_MS, check_tick, agent);
    console_rotate(agent->options.console_dir, console_moved, agent);
    domains_check(agent);
}

static void check_soon(struct agent *agent)
{
    loop_cancel(agent->loop, agent->domains->check_timer);
    agent->domains->check_timer = loop_timer(agent->loop, 0, check_tick, agent);
}

static void watch_readable(void *context, int fd, short events)
{
    struct agent *agent = context;
    struct err err;
    (void)fd;
    (void)events;
    if (agent->backend.hypervisor.watch_read(agent->backend.hypervisor.state, &err) < 0)
        log_warning("the watch of domains: %s", err.message);
    check_soon(agent);
}

/* The machine was started anew: no domain has outlived that. */
static void load_slice(struct agent *agent, struct slice *slice)
{
    bool ran = slice_has_domain(slice);
    struct err err;
    if (!ran && slice->domain_id < 0)
        return;
    slice->domain_id = -1;
    slice->domain = (struct domain_size){0};
    if (ran) {
        slice->state = SLICE_STOPPED;
        slice_changed(agent, slice, "node_boot", NULL, NULL);
    } else {
        must(store_slice_put(agent->store, slice, &err), &err);
    }
}

void domains_load(struct agent *agent)
{
    CLEANUP_FREE char(*ids)[UUID_TEXT_BYTES] = NULL;
    size_t count;
    struct err err;
    agent->domains = xcalloc(1, sizeof(*agent->domains));
    must(store_slice_ids(agent->store, &ids, &count, &err), &err);
    for (size_t i = 0; i < count; i++) {
        struct slice slice;
        watch_slice(agent, ids[i])->adopting = true;
        must(store_slice_find(agent->store, ids[i], &slice, &err), &err);
        if (agent->new_boot)
            load_slice(agent, &slice);
        slice_free(&slice);
    }
}

void domains_open(struct agent *agent)
{
    struct hypervisor *hypervisor = &agent->backend.hypervisor;
    int fd = hypervisor->watch_fd ? hypervisor->watch_fd(hypervisor->state) : -1;
    if (fd >= 0)
        loop_watch(agent->loop, fd, POLLIN, watch_readable, agent);
    check_soon(agent);
}

void domains_request_finished(struct agent *agent, const struct request_record *record)
{
    /* What happened to the domain meanwhile was left to the request. */
    if (record->request.operation == OP_SLICE_TERMINATE && record->phase == REQUEST_DONE) {
        forget(agent->domains, record->request.slice);
        boots_forget(agent, record->request.slice);
        crashes_forget(agent, record->request.slice);
    }
    if (record->request.slice[0] ||
        strncmp(operation_name(record->request.operation), "volume.", 7) == 0)
        check_soon(agent);
}

static void stop_slice(struct agent *agent, const char *slice)
{
    char id[UUID_TEXT_BYTES];
    struct err err;
    uuid_make(id);
    json_t *request = json_pack("{s:s, s:s, s:s, s:{}, s:n}", "id", id, "op", "slice.stop", "slice",
                                slice, "args", "deadline");
    must(tasks_submit(agent->tasks, request, true, &err), &err);
    json_decref(request);
}

void domains_shutdown(struct agent *agent)
{
    CLEANUP_FREE char(*ids)[UUID_TEXT_BYTES] = NULL;
    size_t count;
    struct err err;
    agent->domains->shutting_down = true;
    must(store_slice_ids(agent->store, &ids, &count, &err), &err);
    for (size_t i = 0; i < count; i++) {
        struct slice slice;
        must(store_slice_find(agent->store, ids[i], &slice, &err), &err);
        if (slice_has_domain(&slice))
            stop_slice(agent, ids[i]);
        slice_free(&slice);
    }
}

bool domains_shutting_down(const struct agent *agent)
{
    return agent->domains->shutting_down;
}

void domains_close(struct agent *agent)
{
    struct domains *domains = agent->domains;
    while (domains && domains->watched)
        forget(domains, domains->watched->slice);
    free(domains);
    agent->domains = NULL;
}
