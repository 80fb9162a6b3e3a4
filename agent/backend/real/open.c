/* The real node: Xen, a thin pool of device mapper, Linux bridges. */
#include "backend/open.h"
#include "backend/backend.h"
#include "backend/net/bridge.h"
#include "backend/thin/volume.h"
#include "backend/xen/open.h"
#include "base/err.h"

#include <string.h>

int backend_open(const struct backend_options *options, struct backend *backend, struct err *err)
{
    memset(backend, 0, sizeof(*backend));
    if (strcmp(options->kind, "xen") != 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "unknown backend %s: this program has xen",
                       options->kind);
    if ((!options->pool_only &&
         (be_xen_open(&backend->hypervisor, err) < 0 || be_net_open(&backend->network, err) < 0)) ||
        (options->storage && be_thin_open(&backend->storage, options->pool, err) < 0)) {
        backend_close(backend);
        return -1;
    }
    return 0;
}

void backend_close(struct backend *backend)
{
    if (backend->storage.close)
        backend->storage.close(backend->storage.state);
    if (backend->network.close)
        backend->network.close(backend->network.state);
    if (backend->hypervisor.close)
        backend->hypervisor.close(backend->hypervisor.state);
    memset(backend, 0, sizeof(*backend));
}
