/* The real network: bridges that a slice's vifs are put on, and VLANs of the uplink. */
#ifndef SLICENODE_BACKEND_NET_BRIDGE_H
#define SLICENODE_BACKEND_NET_BRIDGE_H

#include "backend/backend.h"
#include "base/err.h"
#include "model/nic.h"

/* The bridge that carries the node's own address; slices are put on it unless they say
 * otherwise. */
#define BE_NET_BRIDGE "xenbr0"

/* The boot scripts write the name of the network card or bond here that VLANs are made on. */
#define BE_NET_UPLINK_FILE "/run/slicenode/uplink"

/* The name of the bridge that a nic belongs on: the one it names, or that of its VLAN (xenbrN).
 * Pure. Applying it to a nic whose bridge is that name already gives the same name again. */
int be_net_bridge_name(const struct nic *nic, char name[static NIC_NAME_BYTES], struct err *err);

int be_net_open(struct network *network, struct err *err);

/* As be_net_open with another uplink file, for tests; the path stays the caller's. */
int be_net_open_uplink(struct network *network, const char *uplink_file, struct err *err);

#endif
