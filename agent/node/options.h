/* What the command line says. */
#ifndef SLICENODE_NODE_OPTIONS_H
#define SLICENODE_NODE_OPTIONS_H

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

#endif
