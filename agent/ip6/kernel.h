/* What Linux is told of the host's addresses and routes, with their lifetimes, and what it tells
 * of them and of the link: by rtnetlink. */
#ifndef SLICENODE_IP6_KERNEL_H
#define SLICENODE_IP6_KERNEL_H

#include "base/err.h"
#include "ip6/host.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct kernel {
    int requests, events;
    unsigned index;  /* of the bridge, which has the addresses */
    unsigned uplink; /* its port to the wire */
    struct in6_addr link_local;
    bool link_local_ready, link_up;
    /* as it was told last */
    struct host_address addresses[ADDRESSES_MAX];
    struct host_route routes[ROUTES_MAX];
    unsigned address_count, route_count, mtu;
};

enum { KERNEL_CHANGED = 1, KERNEL_LINK_UP = 2 };

int kernel_open(struct kernel *kernel, const char *bridge, const char *uplink, struct err *err);

/* Makes Linux have what the host has. What it refuses is logged, and tried again the next time. */
void kernel_set(struct kernel *kernel, const struct host *host, uint64_t now);

/* Reads what has happened, into `kernel` and the host's addresses: the sum of the above; -1: the
 * uplink or the bridge is gone. */
int kernel_read(struct kernel *kernel, struct host *host, uint64_t now);

#endif
