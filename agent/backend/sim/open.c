#include "backend/open.h"
#include "backend/backend.h"
#include "backend/sim/commit.h"
#include "backend/sim/domain.h"
#include "backend/sim/folder.h"
#include "backend/sim/moment.h"
#include "backend/sim/volume.h"
#include "base/err.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/nic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int sim_bridge(void *state, const struct nic *nic, char name[static NIC_NAME_BYTES],
                      struct err *err)
{
    if (sim_enter(state, "bridge", err) < 0)
        return -1;
    copy_text(name, NIC_NAME_BYTES, nic->bridge[0] ? nic->bridge : "xenbr0");
    sim_leave(state);
    return 0;
}

static void sim_close(void *state)
{
    struct sim *sim = state;
    if (sim->watch >= 0)
        close(sim->watch);
    free(sim->folder);
    free(sim);
}

int backend_open(const struct backend_options *options, struct backend *backend, struct err *err)
{
    static const char *const folders[] = {"", "/domains", "/volumes", "/active"};
    memset(backend, 0, sizeof(*backend));
    if (strcmp(options->kind, "sim") != 0 || !options->sim_dir)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "unknown backend %s: this program has sim, with --sim FOLDER",
                       options->kind);
    for (size_t i = 0; i < ARRAY_LENGTH(folders); i++) {
        CLEANUP_FREE char *path = xasprintf("%s%s", options->sim_dir, folders[i]);
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return err_errno(err, ERR_INTERNAL, errno, "cannot make %s", path);
    }
    struct sim *sim = xcalloc(1, sizeof(*sim));
    sim->folder = xstrdup(options->sim_dir);
    sim->console_dir = options->console_dir;
    sim->agent = options->parent;
    sim->watch = -1;
    if (options->storage)
        sim_storage(sim, &backend->storage);
    if (!options->pool_only) {
        sim_hypervisor(sim, &backend->hypervisor);
        backend->network = (struct network){.state = sim, .bridge = sim_bridge, .close = NULL};
        backend->hypervisor.close = sim_close;
    } else if (options->storage) {
        backend->storage.close = sim_close;
    } else {
        sim_close(sim);
    }
    if (options->store && getpid() == options->parent)
        sim_watch_commits(sim, options->store);
    return 0;
}

void backend_close(struct backend *backend)
{
    if (backend->storage.close)
        backend->storage.close(backend->storage.state);
    if (backend->hypervisor.close)
        backend->hypervisor.close(backend->hypervisor.state);
    memset(backend, 0, sizeof(*backend));
}
