/* Shared by the be_xen files only; includes libxl.h. */
#ifndef SLICENODE_BE_XEN_INTERNAL_H
#define SLICENODE_BE_XEN_INTERNAL_H

#include "backend.h"
#include "err.h"
#include "util.h"

#include <libxl.h>
#include <stdbool.h>
#include <xenctrl.h>
#include <xenstore.h>
#include <xentoollog.h>

#define PAGE_KIB 4
#define FOUND_TEXT_BYTES 512

/* libxl's messages go to the log; the errors since be_xen_forget are kept for `struct err`. */
struct be_xen_log {
    xentoollog_logger base; /* must be first: libxl sees only this */
    char errors[FOUND_TEXT_BYTES];
};

/* A domain as Xen has it. */
struct xen_domain {
    uint32_t domid;
    char uuid[UUID_TEXT_BYTES]; /* its slice's, when it is ours */
    bool dying, shutdown, paused;
    unsigned shutdown_reason; /* SHUTDOWN_* of Xen's sched.h, when it is shut down */
    uint64_t cpu_time;        /* ns */
    uint64_t current_memkb;
    uint64_t outstanding_memkb; /* claimed and not taken yet */
    uint32_t vcpu_online;
    uint32_t vcpu_max_id;
};

struct be_xen {
    libxl_ctx *context;
    xc_interface *control;   /* for the list of domains, see be_xen_list.c */
    struct xen_domain *ours; /* of the last list: whose name needs not be read again */
    size_t ours_count;
    struct xs_handle *store;
    struct xs_handle *watch; /* NULL until asked for */
    char cpu_model[64];      /* "" until asked for */
    struct be_xen_log log;
};

void be_xen_log_init(struct be_xen_log *log);
/* To be called before each libxl call whose failure will be reported. */
void be_xen_forget(struct be_xen *xen);
/* Reports libxl's return code with what libxl said itself; returns -1. */
int be_xen_fail(struct be_xen *xen, struct err *err, int code, const char *what, const char *slice);

/* All domains but dom0, in the order of their numbers; an array owned by the caller. */
int be_xen_domains(struct be_xen *xen, struct xen_domain **list, size_t *count, struct err *err);

/* Those that this agent made, as in backend.h. */
int be_xen_list(void *state, struct domain_info *list, size_t limit, size_t *count,
                struct err *err);

/* The live domain of a slice: 1 and `info` filled, 0 when there is none, -1. Dying ones count only
 * when `dying` is set. */
int be_xen_find(struct be_xen *xen, const char *slice, bool dying, struct xen_domain *info,
                struct err *err);

/* Memory that a new domain can be built from now. */
int be_xen_free_kib(struct be_xen *xen, uint64_t *free_kib, struct err *err);

/* Destroys one domain by number and waits until Xen has given its memory back. */
int be_xen_destroy(struct be_xen *xen, uint32_t domain_id, const char *slice, struct err *err);

/* libxl runs hotplug helpers as children and learns of their end by SIGCHLD, which our callers
 * usually block. */
void be_xen_children_begin(sigset_t *saved);
void be_xen_children_end(const sigset_t *saved);

/* libxl's description of a disk; libxl_device_disk_dispose by the caller. */
void be_xen_fill_disk(libxl_device_disk *disk, const char *path, const char *device, bool writable);

/* Of be_xen_disk.c, as in backend.h. */
int be_xen_disk_plug(void *state, const char *slice, const struct domain_disk *disk,
                     struct err *err);
int be_xen_disk_unplug(void *state, const char *slice, const char *device, bool force,
                       struct err *err);
int be_xen_disk_grow(void *state, const char *slice, const char *device, uint64_t bytes,
                     struct err *err);

int be_xen_start(void *state, const struct domain_config *config, int *domain_id, struct err *err);

int be_xen_pause(void *state, const char *slice, struct err *err);
int be_xen_unpause(void *state, const char *slice, struct err *err);
/* Builds a domain, from the saved memory that `restore_fd` gives or anew when it is -1, and leaves it
 * paused and unmarked. On failure nothing of it remains. */
int be_xen_build(struct be_xen *xen, const struct domain_config *config, int restore_fd,
                 uint32_t *domain_id, struct err *err);
/* Marks a domain as whole and lets it run. */
int be_xen_launch(struct be_xen *xen, uint32_t domain_id, const char *slice, struct err *err);

int be_xen_save(void *state, const char *slice, const char *path, struct memory_mark *mark,
                struct err *err);
int be_xen_resume(void *state, const char *slice, struct err *err);
int be_xen_restore(void *state, const struct domain_config *config, const char *path,
                   const struct memory_mark *mark, struct err *err);
int be_xen_run(void *state, const char *slice, int *domain_id, struct err *err);

int be_xen_set_vcpus(void *state, const char *slice, const struct domain_change *change, bool *now,
                     struct err *err);
int be_xen_set_memory(void *state, const char *slice, const struct domain_change *change, bool *now,
                      struct err *err);

/* As in backend.h, from sysfs. */
int be_xen_counters(void *state, const struct domain_info *domains, size_t count,
                    struct domain_counters *counters, struct err *err);

int be_xen_console_tty(void *state, const char *slice, char path[static TTY_PATH_BYTES],
                       struct err *err);

int be_xen_watch_fd(void *state);
int be_xen_watch_read(void *state, struct err *err);

#endif
