/* The simulated node's insides, shared by its files. Its whole state is a folder, so that it outlives
 * a killed agent and is the same for the parent, its workers and the test that looks on:
 *
 *     node.json      what the node is and how it misbehaves; written by the test, all keys optional:
 *                    memory_mib threads pool_mib metadata_percent data_used_percent
 *                    data_used_mib (by others) pvh pv
 *                    ignore_shutdown ignore_suspend ignore_unplug ignore_balloon read_only
 *                    out_of_space boot_text
 *                    delay_ms {call: n}
 *                    fail [{call, nth?, times?, code, message?}]   the nth call and `times` from there
 *                    kill_at n     the agent is killed at the nth point (two for each call below)
 *                    kill_moment n, hold_moment n   at the nth moment, which is a point or one of the
 *                                  two about each commit of the store, the agent is killed, or who
 *                                  reaches it waits until this is taken back; the file `held` is
 *                                  there meanwhile
 *                    trace         each moment is a line in the file `trace`
 *     calls.json     how often each changing call was made, "points" and "moments"
 *     domains/ID     {domain_id, state: running|paused|shutdown, reason, memory_mib (all it takes),
 *                    vcpus, max_vcpus, given_mib, max_given_mib, disks: {device: {volume, bytes}},
 *                    memory: text, which a checkpoint saves};
 *                    a test may rewrite it (rename into place) or remove it: the agent's watch sees it
 *                    tty in it: a terminal that stands for its console
 *     volumes/N      a thin volume's data, a sparse file
 *     active/NAME    symbolic link to the volume
 *     reboot         the machine was asked to reboot; removing it is the test's part
 *     metadata       the pool's metadata, while somebody reads them
 */
#ifndef SLICENODE_BE_SIM_H
#define SLICENODE_BE_SIM_H

#include "backend_open.h"

#include <jansson.h>
#include <sys/types.h>

struct sim {
    char *folder;
    const char *console_dir;
    pid_t agent;      /* the parent, which kill_at kills */
    const char *call; /* under way, for the trace */
    int watch;        /* inotify, -1 in workers that have not asked for it */
};

/* Before and after every call that changes something: counts, delays, fails, kills. */
int sim_enter(struct sim *sim, const char *call, struct err *err);
void sim_leave(struct sim *sim);

/* A moment that is no point. */
void sim_moment(struct sim *sim, const char *name);

/* From now on commits of the agent's store are moments; NULL ends it. */
void sim_watch_commits(struct sim *sim);

/* The setting of node.json. */
json_int_t sim_number(struct sim *sim, const char *name, json_int_t usual);
bool sim_flag(struct sim *sim, const char *name, bool usual);
char *sim_text(struct sim *sim, const char *name); /* owned; NULL when not set */

/* One at a time across processes. Returns a descriptor to close. */
int sim_lock(struct sim *sim);

json_t *sim_load(const char *path); /* NULL when absent or torn */
int sim_save(const char *path, const json_t *object, struct err *err);

/* Of be_sim_disk.c. sim_disks makes the `disks` of a new domain; NULL when one is not there. */
char *sim_domain_path(struct sim *sim, const char *slice);
json_t *sim_disks(const struct domain_config *config, struct err *err);
bool sim_disk_in_use(struct sim *sim, const char *volume);
int sim_disk_plug(void *state, const char *slice, const struct domain_disk *disk, struct err *err);
int sim_disk_unplug(void *state, const char *slice, const char *device, bool force,
                    struct err *err);
int sim_disk_grow(void *state, const char *slice, const char *device, uint64_t bytes,
                  struct err *err);

void sim_hypervisor(struct sim *sim, struct hypervisor *hypervisor);
void sim_storage(struct sim *sim, struct storage *storage);

int sim_console_tty(void *state, const char *slice, char path[static TTY_PATH_BYTES],
                    struct err *err);

/* be_sim_metadata.c: storage's functions of that name. */
int sim_metadata_open(void *state, struct pool_metadata *metadata, struct err *err);
int sim_metadata_close(void *state, struct pool_metadata *metadata, struct err *err);

int sim_next_domain(struct sim *sim);

/* Of be_sim_memory.c. */
int sim_save_memory(void *state, const char *slice, const char *path, struct memory_mark *mark,
                    struct err *err);
int sim_resume(void *state, const char *slice, struct err *err);
int sim_restore(void *state, const struct domain_config *config, const char *path,
                const struct memory_mark *mark, struct err *err);
int sim_run(void *state, const char *slice, int *domain_id, struct err *err);

/* Whether a domain uses the volume of that name now. */
bool sim_volume_busy(struct sim *sim, const char *name);

#endif
