/* What the files of this room share; includes libxl.h. */
#ifndef SLICENODE_BACKEND_XEN_XEN_H
#define SLICENODE_BACKEND_XEN_XEN_H

#include "base/ident.h"

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
    xc_interface *control;   /* for the list of domains, see list.c */
    struct xen_domain *ours; /* of the last list: whose name needs not be read again */
    size_t ours_count;
    struct xs_handle *store;
    struct xs_handle *watch; /* NULL until asked for */
    char cpu_model[64];      /* "" until asked for */
    uint64_t own_memory_kib; /* 0 until asked for */
    struct be_xen_log log;
};

#endif
