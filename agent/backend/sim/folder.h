/* The simulated node's whole state is a folder, so that it outlives
 * a killed agent and is the same for the parent, its workers and the test that looks on:
 *
 *     node.json      what the node is and how it misbehaves; the test writes it, all optional:
 *                    memory_mib threads pool_mib metadata_percent data_used_percent
 *                    data_used_mib (by others) pvh pv
 *                    ignore_shutdown ignore_suspend ignore_unplug ignore_balloon read_only
 *                    out_of_space boot_text
 *                    delay_ms {call: n}
 *                    fail [{call, nth?, times?, code, message?}]   the nth call and `times` on
 *                    kill_at n     the agent is killed at the nth point (two for each call below)
 *                    kill_moment n, hold_moment n   at the nth moment, a point or one of the
 *                                  two about each commit of the store, the agent is killed, or who
 *                                  reaches it waits until this is taken back; the file `held` is
 *                                  there meanwhile
 *                    trace         each moment is a line in the file `trace`
 *     calls.json     how often each changing call was made, "points" and "moments"
 *     domains/ID     {domain_id, state: running|paused|shutdown, reason, memory_mib (all it takes),
 *                    vcpus, max_vcpus, given_mib, max_given_mib, disks: {device: {volume, bytes}},
 *                    memory: text, which a checkpoint saves};
 *                    a test may rewrite it (rename into place) or remove it: that is seen
 *                    tty in it: a terminal that stands for its console
 *     volumes/N      a thin volume's data, a sparse file
 *     active/NAME    symbolic link to the volume
 *     reboot         the machine was asked to reboot; removing it is the test's part
 *     metadata       the pool's metadata, while somebody reads them */
#ifndef SLICENODE_BACKEND_SIM_FOLDER_H
#define SLICENODE_BACKEND_SIM_FOLDER_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

struct sim {
    char *folder;
    const char *console_dir;
    pid_t agent;      /* the parent, which kill_at kills */
    const char *call; /* under way, for the trace */
    int watch;        /* inotify, -1 in workers that have not asked for it */
};

/* The setting of node.json. */
json_int_t sim_number(struct sim *sim, const char *name, json_int_t usual);
bool sim_flag(struct sim *sim, const char *name, bool usual);
char *sim_text(struct sim *sim, const char *name); /* owned; NULL when not set */

/* One at a time across processes. Returns a descriptor to close. */
int sim_lock(struct sim *sim);

json_t *sim_load(const char *path); /* NULL when absent or torn */
int sim_save(const char *path, const json_t *object, struct err *err);

/* All settings; NULL when the file is absent or torn. */
json_t *sim_settings(struct sim *sim);

/* The file of a domain. The caller frees it. */
char *sim_domain_path(struct sim *sim, const char *slice);
/* A number that no domain has had. */
int sim_next_domain(struct sim *sim);

#endif
