/* The agent as a whole: what its parts share. Included by main*.c alone. */
#ifndef SLICENODE_MAIN_H
#define SLICENODE_MAIN_H

#include "api.h"
#include "backend_open.h"
#include "err.h"
#include "loop.h"
#include "outbox.h"
#include "session.h"
#include "store.h"
#include "task.h"
#include "util.h"

#include <jansson.h>
#include <stdbool.h>

struct options {
    const char *state_dir;
    const char *run_dir;
    const char *libexec;
    const char *kernels_dir;
    const char *console_dir;
    const char *grub_dir;
    const char *backend;
    const char *pool;
    const char *sim_dir;
    const char *sysfs; /* "/sys" */
    const char *procfs;
    const char *kernel_log; /* NULL for none */
    const char *console;    /* NULL for none */
    bool no_storage;
    bool verbose;
    unsigned workers;
    unsigned events_max;   /* kept for a controller that is away */
    unsigned call_seconds; /* for a call to it; the poll's answer has half of it after its wait */
};

/* The boot parameters that the agent uses, as slicenode-conf has left them; "" when not given. */
struct conf_values {
    char *controller;
    char *ca;
    char *pin;
    char *token;
    char *name;
};

/* Who the node is to its controller; "" where unknown. */
struct identity {
    char *folder;
    char *node_id;
    char *key;
    char *csr;
    char *certificate;
    char *ca;
    char *controller; /* the parameter as it was at enrolment */
};

#define PROBLEMS_MAX 64

/* Something that is wrong now, under a key that later news of the same matter replace. */
struct problem {
    char key[64];
    struct err error;
};

struct uplink;
struct domains;
struct boot;
struct health;

struct agent {
    struct options options;
    struct conf_values conf;
    struct identity identity;
    struct loop *loop;
    struct store *store;
    struct outbox *outbox;
    struct backend backend;
    char *ram_state_dir; /* instead of the state volume's folders, when there is none */
    char *ram_console_dir;
    bool storage; /* the node keeps its state on a disk and has a pool */
    struct tasks *tasks;
    struct api *api;
    struct uplink *uplink;
    struct domains *domains;
    struct boot *boots;
    struct health *health;
    struct problem problems[PROBLEMS_MAX];
    unsigned problem_count;
    const char *version;
    char boot_id[UUID_TEXT_BYTES];
    bool new_boot; /* the first start of the agent since the machine booted */
    unsigned boots_timer;
    unsigned status_timer;
    unsigned events_timer;
    bool events_linger; /* only such wait that say that something goes on */
    bool draining;
    int lock; /* of the state folder */
};

/* main_options.c: exits with a message when they are wrong. */
void options_parse(int argc, char **argv, struct options *options);

/* main_lock.c: a descriptor that holds the lock; exits when another agent has it. */
int state_lock(const char *folder);

/* main_conf.c */
void conf_read(const char *run_dir, struct conf_values *conf);
void conf_free(struct conf_values *conf);
void conf_problems(struct agent *agent);
/* One word per controller: the parameter is a list with commas. */
json_t *conf_urls(const struct conf_values *conf);
/* Whether there is enough to talk to a controller; reports what is missing. */
bool conf_allows_session(struct agent *agent);

/* main_identity.c */
int identity_load(struct identity *identity, const char *folder, struct err *err);
int identity_save(const struct identity *identity, struct err *err);
void identity_free(struct identity *identity);
bool identity_enrolled(const struct identity *identity);
/* Forgets the controller and keeps the key. */
void identity_forget(struct identity *identity);
void identity_set(char **field, const char *value);

/* main_problem.c: enters, reports and clears what is wrong. */
void problem_set(struct agent *agent, const char *key, const struct err *error);
void problem_clear(struct agent *agent, const char *key);
bool problem_known(const struct agent *agent, const char *key);
json_t *problems_json(const struct agent *agent);

/* main_inventory.c: from sysfs; the caller owns the result. */
json_t *inventory_hardware(const char *sysfs);
json_t *inventory_nics(const char *sysfs);
json_t *inventory_disks(const char *run_dir);
void inventory_disk_problems(struct agent *agent);

/* main_report.c: the bodies of registration and heartbeat; the caller owns them. */
json_t *report_registration(struct agent *agent);
json_t *report_status(struct agent *agent);
json_t *report_slices(struct agent *agent);
/* Those of one slice, or all when it is NULL. */
json_t *report_volumes(struct agent *agent, const char *slice);
json_t *report_images(struct agent *agent);
json_t *report_snapshots(struct agent *agent, const char *slice);

/* main_status.c: the files that the status screen shows; rewritten soon after a call. */
void status_changed(struct agent *agent);

/* main_domains.c: watches the domains, strives for the desired state. */
/* Before any request goes on: the domains of an earlier boot are gone, and each slice that is known has yet to be
 * brought to what is desired, at the first moment when no request is about it. */
void domains_load(struct agent *agent);
void domains_open(struct agent *agent);
void domains_check(struct agent *agent);
/* Stops the slice, which stays failed for that reason. */
void domains_fail(struct agent *agent, struct slice *slice, const struct err *error);
void domains_request_finished(struct agent *agent, const struct request_record *record);
void domains_close(struct agent *agent);
/* Stops every slice and keeps what is desired, for the machine's shutdown. */
void domains_shutdown(struct agent *agent);
bool domains_shutting_down(const struct agent *agent);

/* main_boots.c: watches slices boot. `console_bytes` is the console log's size before the domain's start. */
void boots_begin(void *agent, const char *slice, uint64_t console_bytes);
/* Since this process started its domain; UINT64_MAX when it was another one. */
uint64_t boots_age_ms(const struct agent *agent, const char *slice);
/* The domain has ended: whether it had only come to a boot loader that found nothing to boot. */
bool boots_failed(const struct agent *agent, const char *slice, struct err *err);
void boots_forget(struct agent *agent, const char *slice);
void boots_close(struct agent *agent);

/* main_health.c: the pool's and the state volume's room, dom0's memory, disks with errors. */
void health_open(struct agent *agent);
void health_close(struct agent *agent);
/* Before the store is opened: a state volume that is full gets back what was kept for this. */
void health_make_room(const struct agent *agent);
/* main_crashes.c: how often a slice has crashed lately; `note` counts one more. */
#define CRASHES_MAX 5
#define CRASHES_WITHIN_MS (10 * 60 * 1000)
unsigned crashes_recent(struct agent *agent, const char *slice);
unsigned crashes_note(struct agent *agent, const char *slice);
void crashes_forget(struct agent *agent, const char *slice);

/* main_uplink.c, main_uplink_calls.c: the session with the controller. */
void uplink_open(struct agent *agent);
void uplink_close(struct agent *agent);
void uplink_events(struct agent *agent);
void uplink_drain(struct agent *agent);
enum session_state uplink_state(const struct agent *agent);

/* main_methods.c: what the local socket answers. */
int methods_open(struct agent *agent, struct err *err);
/* main_console.c: {slice} -> {tty}, the path of the terminal of its console. */
void console_tty(struct agent *agent, struct api_call *call, const json_t *params);
/* Answers those who wait for the request, or for the node's shutdown. */
void methods_request_finished(struct agent *agent, const struct request_record *record);
void methods_check_shutdown(struct agent *agent);

#endif
