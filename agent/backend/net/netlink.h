/* Network links by rtnetlink: the few operations that bridges, VLANs and vifs need. Shared by
 * bridge.c and the hotplug helper. */
#ifndef SLICENODE_BACKEND_NET_NETLINK_H
#define SLICENODE_BACKEND_NET_NETLINK_H

#include "base/err.h"

#include <stdbool.h>

/* A socket for the calls below; the caller closes it. -1 with `err` filled. */
int link_open(struct err *err);

/* The link's index, or 0 when there is none of that name. */
int link_index(const char *name);

/* What kind of link it is, by what the kernel says about it. */
bool link_is_bridge(const char *name);
/* True when `name` is VLAN `vlan` on top of `parent`. */
bool link_is_vlan(const char *name, const char *parent, int vlan);

/* Each returns 0, also when the link is there already. */
int link_create_bridge(int socket, const char *name, struct err *err);
int link_create_vlan(int socket, const char *name, const char *parent, int vlan, struct err *err);

/* Puts `name` on `bridge`, or takes it off when `bridge` is NULL. */
int link_set_bridge(int socket, const char *name, const char *bridge, struct err *err);
int link_set_up(int socket, const char *name, struct err *err);
int link_set_mtu(int socket, const char *name, unsigned mtu, struct err *err);
int link_delete(int socket, const char *name, struct err *err);

/* The link's MTU, or 0 when it has none. */
unsigned link_mtu(const char *name);

/* Keeps dom0 out of the tenants' network: no IPv6 address, no router advertisement is taken. Links
 * of a kernel without IPv6 need nothing. */
int link_silence(const char *name, struct err *err);

#endif
