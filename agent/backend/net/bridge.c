#include "backend/net/bridge.h"

#include "backend/backend.h"
#include "backend/net/netlink.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/nic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The name of a card. A longer file is an error. */
#define UPLINK_FILE_LIMIT 256

struct be_net {
    int socket;
    const char *uplink_file;
};

/* The card or bond that the boot scripts chose. */
static int read_uplink(const struct be_net *net, char name[static NIC_NAME_BYTES], struct err *err)
{
    CLEANUP_FREE char *text = NULL;
    size_t length;

    if (read_file(net->uplink_file, UPLINK_FILE_LIMIT, &text, &length, err) < 0) {
        if (err)
            err->code = ERR_NETWORK_ERROR;
        return err_context(err, "the node's uplink is not known");
    }
    text[strcspn(text, " \t\r\n")] = '\0';
    if (text[0] == '\0' || strchr(text, '/') || !copy_text(name, NIC_NAME_BYTES, text))
        return err_set(err, ERR_NETWORK_ERROR, "%s does not hold an interface name",
                       net->uplink_file);
    if (link_index(name) == 0)
        return err_set(err, ERR_NETWORK_ERROR, "the uplink %s is gone", name);
    return 0;
}

/* Linux's customary name, PARENT.VLAN, with the parent cut short where IFNAMSIZ demands it. */
static int name_vlan(const char *parent, int vlan, char name[static NIC_NAME_BYTES])
{
    char suffix[8];
    int suffix_length = snprintf(suffix, sizeof(suffix), ".%d", vlan);
    int parent_length = NIC_NAME_BYTES - 1 - suffix_length;

    return snprintf(name, NIC_NAME_BYTES, "%.*s%s", parent_length, parent, suffix);
}

/* Makes the VLAN's interface and its bridge; what a crash left half done is completed. */
static int make_vlan_bridge(const struct be_net *net, int vlan, const char *bridge, struct err *err)
{
    char uplink[NIC_NAME_BYTES] = "", port[NIC_NAME_BYTES] = "";

    if (read_uplink(net, uplink, err) < 0)
        return -1;
    name_vlan(uplink, vlan, port);
    if (link_index(port) != 0 && !link_is_vlan(port, uplink, vlan))
        return err_set(err, ERR_NETWORK_ERROR, "the interface %s is not VLAN %d of %s", port, vlan,
                       uplink);
    if (link_index(bridge) != 0 && !link_is_bridge(bridge))
        return err_set(err, ERR_NETWORK_ERROR, "the interface %s is not a bridge", bridge);
    if (link_create_vlan(net->socket, port, uplink, vlan, err) < 0 ||
        link_create_bridge(net->socket, bridge, err) < 0)
        return -1;
    if (link_silence(port, err) < 0 || link_silence(bridge, err) < 0)
        return -1;
    if (link_set_bridge(net->socket, port, bridge, err) < 0 ||
        link_set_up(net->socket, port, err) < 0 || link_set_up(net->socket, bridge, err) < 0)
        return -1;
    log_info("bridge %s carries VLAN %d of %s", bridge, vlan, uplink);
    return 0;
}

static int net_bridge(void *state, const struct nic *nic, char name[static NIC_NAME_BYTES],
                      struct err *err)
{
    struct be_net *net = state;

    if (be_net_bridge_name(nic, name, err) < 0)
        return -1;
    if (nic->vlan != 0)
        return make_vlan_bridge(net, nic->vlan, name, err);
    if (link_index(name) == 0)
        return err_set(err, ERR_NETWORK_ERROR, "there is no bridge %s on this node", name);
    if (!link_is_bridge(name))
        return err_set(err, ERR_NETWORK_ERROR, "the interface %s is not a bridge", name);
    return 0;
}

static void net_close(void *state)
{
    struct be_net *net = state;

    if (!net)
        return;
    close(net->socket);
    free(net);
}

int be_net_open_uplink(struct network *network, const char *uplink_file, struct err *err)
{
    int socket = link_open(err);

    if (socket < 0)
        return -1;
    struct be_net *net = xcalloc(1, sizeof(*net));
    net->socket = socket;
    net->uplink_file = uplink_file;
    *network = (struct network){.state = net, .bridge = net_bridge, .close = net_close};
    return 0;
}

int be_net_open(struct network *network, struct err *err)
{
    return be_net_open_uplink(network, BE_NET_UPLINK_FILE, err);
}
