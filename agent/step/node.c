/* Steps on the node itself. */
#include "step/node.h"

#include "backend/backend.h"
#include "base/clock.h"
#include "base/err.h"
#include "step/context.h"

#include <time.h>

/* The slices get up to two minutes to shut down, the services and disks less. */
#define DOWN_WAIT_MS (10 * 60 * 1000)
#define DOWN_INTERVAL_MS 500

/* Nothing but the end of the machine ends this step well; the agent of the next boot sees it. */
int step_node_reboot(struct step_context *context, struct err *err)
{
    struct hypervisor *hypervisor = &context->backend->hypervisor;
    uint64_t until = monotonic_ms() + DOWN_WAIT_MS;

    if (hypervisor->reboot(hypervisor->state, err) < 0)
        return -1;
    while (monotonic_ms() < until)
        nanosleep(&(struct timespec){.tv_nsec = DOWN_INTERVAL_MS * 1000000L}, NULL);
    return err_set(
        err, ERR_TIMEOUT,
        "the node was told to reboot %d minutes ago and is still up: look at its console",
        DOWN_WAIT_MS / 60000);
}
