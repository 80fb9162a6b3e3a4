/* What a hypervisor, a storage pool and a network must do for the agent. Implementations: xen/,
 * thin/, net/ (the real node) and sim/ (a simulated one).
 *
 * Every function is idempotent: creating what is there with the same properties and removing
 * what is absent succeed, so that a step can run again after a crash. A worker process uses its
 * own instance, opened after the fork. */
#ifndef SLICENODE_BACKEND_BACKEND_H
#define SLICENODE_BACKEND_BACKEND_H

#include "base/err.h"
#include "base/ident.h"
#include "model/nic.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "model/volume.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "slice-", "data-" and the like with an id: 45. device mapper takes 127. */
#define VOLUME_NAME_BYTES 64
/* /dev/mapper/ and the name. */
#define VOLUME_PATH_BYTES 128
/* /dev/pts/ and a number. */
#define TTY_PATH_BYTES 64

enum domain_state { DOMAIN_RUNNING, DOMAIN_PAUSED, DOMAIN_SHUTDOWN, DOMAIN_DYING };
enum shutdown_reason {
    SHUTDOWN_NONE,
    SHUTDOWN_POWEROFF,
    SHUTDOWN_REBOOT,
    SHUTDOWN_CRASH,
    SHUTDOWN_SUSPEND, /* its memory is being saved, or was: domain_resume lets it go on */
    SHUTDOWN_OTHER
};

struct domain_info {
    char slice[UUID_TEXT_BYTES];
    int domain_id;
    enum domain_state state;
    enum shutdown_reason reason;
    uint64_t cpu_ms;
    uint64_t memory_kib;
};

struct domain_counters {
    uint64_t disk_read_bytes;
    uint64_t disk_written_bytes;
    uint64_t net_received_bytes;
    uint64_t net_sent_bytes;
};

struct host_info {
    char hypervisor_version[64];
    char cpu_model[64];
    unsigned threads;
    uint64_t memory_mib;      /* all of the machine's */
    uint64_t memory_free_mib; /* what new domains can get now */
    uint64_t dom0_kib;        /* what our own kernel can use */
    bool pvh;
    bool pv;
};

/* A data volume as a slice sees it. */
struct domain_disk {
    const char *path;               /* block device, writable */
    char device[DEVICE_NAME_BYTES]; /* xvdc and so on */
};

/* What a slice's domain is built from; all paths are host paths and stay the caller's. */
struct domain_config {
    const struct slice *slice;
    const char *disk_path;    /* block device, shown to the guest as xvda */
    const char *seed_path;    /* block device or file, read-only, xvdb; NULL for none */
    const char *kernel_path;  /* pvgrub or the operator's kernel */
    const char *ramdisk_path; /* NULL for none */
    const char *command_line; /* NULL for none */
    const struct domain_disk *disks;
    size_t disk_count;
};

/* Of a domain's processors, or its memory in MiB. */
struct domain_change {
    uint64_t from;
    uint64_t to;
    /* A guest that is to give something back and for so long does not go on with it keeps what it
     * had. 0: it is asked, and not waited for. */
    unsigned wait_seconds;
};

struct hypervisor {
    void *state;
    int (*host)(void *state, struct host_info *info, struct err *err);
    /* Once, when the agent starts: what serves the slices comes before them when processors are
     * short. */
    int (*prefer_host)(void *state, struct err *err);
    /* Begins an orderly reboot of the machine, which ends every process; does not wait. */
    int (*reboot)(void *state, struct err *err);
    /* Builds the domain with its devices and lets it run. On failure nothing of it remains. */
    int (*domain_start)(void *state, const struct domain_config *config, int *domain_id,
                        struct err *err);
    /* Asks the guest to power off or reboot; does not wait. */
    int (*domain_shutdown)(void *state, const char *slice, bool reboot, struct err *err);
    int (*domain_destroy)(void *state, const char *slice, struct err *err);
    /* Stops and resumes the domain's processors; its memory stays. Fails when there is no
     * domain. */
    int (*domain_pause)(void *state, const char *slice, struct err *err);
    int (*domain_unpause)(void *state, const char *slice, struct err *err);
    /* Changes a domain that runs. `now` becomes false, and all is as it was, when there is none,
     * when it was built for less, or when its guest does not give back what it should. */
    int (*domain_set_vcpus)(void *state, const char *slice, const struct domain_change *change,
                            bool *now, struct err *err);
    int (*domain_set_memory)(void *state, const char *slice, const struct domain_change *change,
                             bool *now, struct err *err);
    /* Gives the slice's domain one more disk while it runs. A slice whose domain has ended is fine:
     * it gets the disk at its next start. */
    int (*disk_plug)(void *state, const char *slice, const struct domain_disk *disk,
                     struct err *err);
    /* Asks the guest to release a disk and waits for it, for some seconds: volume_busy when it does
     * not, and then it has the disk as before. `force` takes it away without asking. A slice that
     * has no domain, or none with that device, is fine. */
    int (*disk_unplug)(void *state, const char *slice, const char *device, bool force,
                       struct err *err);
    /* Tells the guest that the block device behind a disk has `bytes` now. */
    int (*disk_grow)(void *state, const char *slice, const char *device, uint64_t bytes,
                     struct err *err);
    /* Suspends the slice with the help of its kernel and writes its memory and processors into the
     * block device or file `path`, which is new; it stays suspended. On failure it runs on:
     * ERR_TIMEOUT when its kernel does not take part. */
    int (*domain_save)(void *state, const char *slice, const char *path, struct memory_mark *mark,
                       struct err *err);
    /* Lets a suspended slice go on where it is; all others are left as they are. */
    int (*domain_resume)(void *state, const char *slice, struct err *err);
    /* Builds a domain from saved memory in place of any other, and leaves it paused: its disk
     * must be what it was at that instant, and stays so until domain_run. */
    int (*domain_restore)(void *state, const struct domain_config *config, const char *path,
                          const struct memory_mark *mark, struct err *err);
    /* Lets the restored domain run. One that runs already, has ended or is gone is left so, and
     * *domain_id is -1 when it is gone. */
    int (*domain_run)(void *state, const char *slice, int *domain_id, struct err *err);
    /* All domains of our slices (dom0 and strangers are left out), sorted as domain_list.h says;
     * the caller frees the list. It is whole or the call fails: who is not in it has no domain. */
    int (*domain_list)(void *state, struct domain_info **list, size_t *count, struct err *err);
    /* The domain of one slice: 1, or 0 when it has none. One that is about to go counts unless
     * there is another. */
    int (*domain_find)(void *state, const char *slice, struct domain_info *info, struct err *err);
    /* What the devices of these domains have moved; what is gone by now counts as nothing. */
    int (*counters)(void *state, const struct domain_info *domains, size_t count,
                    struct domain_counters *counters, struct err *err);
    /* The terminal at which the slice's console can be read and typed on. slice_state when the
     * slice is not running, console_unavailable when there is none for it. */
    int (*console_tty)(void *state, const char *slice, char path[static TTY_PATH_BYTES],
                       struct err *err);
    /* A descriptor that becomes readable when a domain may have died or shut down; -1 if there is
     * none. watch_read consumes the event; the caller then lists the domains. */
    int (*watch_fd)(void *state);
    int (*watch_read)(void *state, struct err *err);
    void (*close)(void *state);
};

struct pool_usage {
    uint64_t data_total_bytes;
    uint64_t data_used_bytes;
    uint64_t metadata_total_bytes;
    uint64_t metadata_used_bytes;
    uint64_t block_bytes;
    bool out_of_space; /* every block is taken and something wanted one */
    bool read_only;
    bool failed;
    bool mirror_degraded; /* the storage is kept on two disks, and one of them is lost */
};

/* The pool's metadata (thin_metadata.h) as they were at one moment. */
struct pool_metadata {
    int fd;              /* for reading in whole blocks of 4 KiB, aligned; -1 when it is closed */
    int lock;            /* the implementation's; -1 for none */
    uint64_t superblock; /* of that moment */
};

/* Thin volumes are known by a number that operation/thin_id.c gives out to one at a time; they get
 * a name and a path only while they are active. */
struct storage {
    void *state;
    int (*usage)(void *state, struct pool_usage *usage, struct err *err);
    /* ERR_VOLUME_EXISTS when the pool has such a volume: only who has begun to make it may take
     * it. */
    int (*create)(void *state, uint32_t thin_id, struct err *err);
    /* The numbers of all volumes that the pool has, in order, which the caller frees. */
    int (*list)(void *state, uint32_t **thin_ids, size_t *count, struct err *err);
    /* Takes a snapshot. When the origin is active its I/O is suspended meanwhile (`origin_name`,
     * or NULL for an inactive origin). `mapped`, which may be NULL, is set to the pool bytes of
     * the new snapshot, or to 0 when that is not known: the origin was not active, or the
     * snapshot is there already. */
    int (*snapshot)(void *state, uint32_t origin_id, const char *origin_name, uint32_t thin_id,
                    uint64_t *mapped, struct err *err);
    int (*remove)(void *state, uint32_t thin_id, struct err *err);
    /* Makes /dev/mapper/NAME; activating again with a larger size grows it. */
    int (*activate)(void *state, const char *name, uint32_t thin_id, uint64_t size_bytes,
                    bool read_only, char path[static VOLUME_PATH_BYTES], struct err *err);
    int (*deactivate)(void *state, const char *name, struct err *err);
    /* Bytes of the pool that an active volume maps. */
    int (*mapped)(void *state, const char *name, uint64_t *bytes, struct err *err);
    /* A pool has one such moment at a time: whoever wants the next waits. */
    int (*metadata_open)(void *state, struct pool_metadata *metadata, struct err *err);
    /* With both descriptors -1, what a worker that died may have left. */
    int (*metadata_close)(void *state, struct pool_metadata *metadata, struct err *err);
    void (*close)(void *state);
};

struct network {
    void *state;
    /* Makes sure that the bridge a nic is to be put on exists (a VLAN's bridge is made on demand)
     * and gives its name. */
    int (*bridge)(void *state, const struct nic *nic, char name[static NIC_NAME_BYTES],
                  struct err *err);
    void (*close)(void *state);
};

struct backend {
    struct hypervisor hypervisor;
    struct storage storage;
    struct network network;
};

#endif
