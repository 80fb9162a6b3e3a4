/* A router advertisement (RFC 4861, 4191, 8106), read from a packet that came in on the wire.
 * Everything in it is outside data. Pure. */
#ifndef SLICENODE_IP6_ADVERT_H
#define SLICENODE_IP6_ADVERT_H

#include "base/check.h"
#include "base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many of each are read from one advertisement. A packet of 1500 bytes holds 45 prefixes or 90
 * routers' names; networks have two of each. What is beyond is left out and said. */
#define ADVERT_PREFIXES_MAX 8
#define ADVERT_ROUTES_MAX 16
#define ADVERT_SERVERS_MAX 4
#define ADVERT_NAMES_MAX 4
#define ADVERT_ODD_BYTES 160
/* A lifetime that never ends. */
#define LIFETIME_INFINITE UINT32_MAX

struct advert_prefix {
    struct in6_addr prefix;
    unsigned length;
    bool on_link, autonomous; /* never both false */
    uint32_t valid, preferred;
};

struct advert_route {
    struct in6_addr prefix;
    unsigned length;
    int preference; /* -1 low, 0 medium, 1 high */
    uint32_t lifetime;
};

struct advert_server {
    struct in6_addr address;
    uint32_t lifetime;
};

struct advert_name {
    char name[HOSTNAME_BYTES];
    uint32_t lifetime;
};

struct advert {
    struct in6_addr router; /* link-local */
    uint32_t lifetime;      /* as default router; 0: it is none */
    int preference;
    bool managed, other; /* DHCPv6 gives addresses; gives other things */
    unsigned mtu;        /* 0: not given */
    struct advert_prefix prefixes[ADVERT_PREFIXES_MAX];
    struct advert_route routes[ADVERT_ROUTES_MAX];
    struct advert_server servers[ADVERT_SERVERS_MAX];
    struct advert_name names[ADVERT_NAMES_MAX];
    unsigned prefix_count, route_count, server_count, name_count;
    char odd[ADVERT_ODD_BYTES]; /* what was left out first, and why; "" when nothing was */
};

/* `packet` begins with the IPv6 header. `sum_is_good`: the card has checked the checksum, or it was
 * never sent. -1: the whole of it is to be thrown away, and err says why. */
int advert_read(const unsigned char *packet, size_t length, bool sum_is_good, struct advert *advert,
                struct err *err);

#endif
