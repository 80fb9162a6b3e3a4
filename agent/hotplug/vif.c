#include "hotplug/vif.h"

#include "backend/net/netlink.h"
#include "base/err.h"
#include "base/memory.h"
#include "hotplug/entry.h"

#include <stdio.h>

#define USUAL_MTU 1500

/* Tells the guest's driver of an MTU other than the usual one. */
static int announce_mtu(const struct hotplug *hotplug, unsigned mtu, struct err *err)
{
    char text[16];
    CLEANUP_FREE char *frontend = hotplug_need(hotplug, "frontend", err);

    if (!frontend)
        return -1;
    struct hotplug guest = {.store = hotplug->store, .backend = frontend};
    snprintf(text, sizeof(text), "%u", mtu);
    return hotplug_write(&guest, "mtu", text, err);
}

static int connect_vif(const struct hotplug *hotplug, int socket, const char *device,
                       struct err *err)
{
    CLEANUP_FREE char *bridge = hotplug_need(hotplug, "bridge", err);

    if (!bridge)
        return -1;
    if (!link_is_bridge(bridge))
        return err_set(err, ERR_NETWORK_ERROR, "there is no bridge %s on this node", bridge);
    unsigned mtu = link_mtu(bridge);
    /* Before the link comes up, so that dom0 never speaks IPv6 to the tenant. */
    if (link_silence(device, err) < 0)
        return -1;
    if (mtu != 0 && mtu != USUAL_MTU &&
        (link_set_mtu(socket, device, mtu, err) < 0 || announce_mtu(hotplug, mtu, err) < 0))
        return -1;
    if (link_set_bridge(socket, device, bridge, err) < 0 || link_set_up(socket, device, err) < 0)
        return -1;
    return hotplug_write(hotplug, "hotplug-status", "connected", err);
}

int hotplug_vif(const struct hotplug *hotplug, const char *device, bool add, struct err *err)
{
    /* When libxl removes the back end, right after this, the kernel takes the vif away, down and
     * out of its bridge. Each done here first would wait once more for all packets under way. */
    if (!add)
        return 0;
    CLEANUP_CLOSE int socket = link_open(err);
    return socket < 0 ? -1 : connect_vif(hotplug, socket, device, err);
}
