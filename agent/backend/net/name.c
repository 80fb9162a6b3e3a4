#include "backend/net/bridge.h"
#include "base/err.h"
#include "base/text.h"
#include "model/nic.h"

#include <stdio.h>
#include <string.h>

#define VLAN_MAX 4094

int be_net_bridge_name(const struct nic *nic, char name[static NIC_NAME_BYTES], struct err *err)
{
    char vlan_bridge[NIC_NAME_BYTES];
    bool is_default = nic->bridge[0] == '\0' || strcmp(nic->bridge, BE_NET_BRIDGE) == 0;

    name[0] = '\0';
    if (nic->vlan == 0) {
        copy_text(name, NIC_NAME_BYTES, is_default ? BE_NET_BRIDGE : nic->bridge);
        return 0;
    }
    if (nic->vlan < 0 || nic->vlan > VLAN_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "VLAN %d is not between 1 and %d", nic->vlan,
                       VLAN_MAX);
    snprintf(vlan_bridge, sizeof(vlan_bridge), "xenbr%d", nic->vlan);
    if (!is_default && strcmp(nic->bridge, vlan_bridge) != 0)
        return err_set(err, ERR_NETWORK_ERROR,
                       "VLAN %d is on the uplink of %s and cannot be combined with bridge %s",
                       nic->vlan, BE_NET_BRIDGE, nic->bridge);
    copy_text(name, NIC_NAME_BYTES, vlan_bridge);
    return 0;
}
