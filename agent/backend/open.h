/* Opens the node's hypervisor, storage and network as one. Implemented by real/ (Xen, thin pool,
 * bridges) in the image and by sim/ in the build for tests. */
#ifndef SLICENODE_BACKEND_OPEN_H
#define SLICENODE_BACKEND_OPEN_H

#include "backend/backend.h"
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct store;

struct backend_options {
    const char *kind;        /* "xen" or "sim" */
    const char *pool;        /* device mapper's name of the thin pool */
    bool storage;            /* false: the node has no pool; `storage` is left all NULL */
    bool pool_only;          /* `hypervisor` and `network` are left all NULL instead */
    const char *console_dir; /* where the simulated hypervisor writes the slices' consoles */
    const char *sim_dir;     /* state of the simulated node */
    /* For the simulated node's moments: the process that opens it first, and that one's store,
     * which closes after it was opened. */
    pid_t parent;
    struct store *store;
};

/* The strings in `options` must live as long as the backend. */
int backend_open(const struct backend_options *options, struct backend *backend, struct err *err);
void backend_close(struct backend *backend);

#endif
