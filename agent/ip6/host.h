/* What the node has of IPv6 from what was advertised: addresses (RFC 4862), routes (RFC 4861, 4191,
 * 5942), name servers (RFC 8106), and from DHCPv6, each until its time is over. Knows no sockets
 * and no clock: the time is told, in milliseconds. Pure. */
#ifndef SLICENODE_IP6_HOST_H
#define SLICENODE_IP6_HOST_H

#include "base/err.h"
#include "ip6/advert.h"
#include "ip6/dhcp6.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define FOREVER UINT64_MAX

/* A network has one or two prefixes and routers; while it is renumbered, twice as many. What is
 * beyond is left out and said, so that a flood of advertisements ends here. */
#define ADDRESSES_MAX 8
#define ROUTES_MAX 32
#define SERVERS_MAX 4
#define NAMES_MAX 4
#define TROUBLE_BYTES 128

struct host_address {
    struct in6_addr address;
    unsigned length;
    uint64_t preferred_until, valid_until;
    uint64_t ask_at;   /* when to ask a router whether it is still so */
    uint64_t retry_at; /* not 0: another host has it; not tried again before */
    bool leased;       /* by DHCPv6 */
    bool ready;        /* nobody else has it */
};

struct host_route {
    struct in6_addr net;
    unsigned length;
    struct in6_addr gateway; /* ::, when it is on the link */
    int preference;
    uint64_t until;
    uint64_t ask_at;
};

struct host_server {
    struct in6_addr address;
    uint64_t until;
};

struct host_name {
    char name[HOSTNAME_BYTES];
    uint64_t until;
};

struct host {
    unsigned char interface_id[8];
    struct in6_addr only_router; /* the operator's; :: for any */
    struct in6_addr router;      /* who advertised last; :: nobody so far */
    bool managed, other;         /* DHCPv6 gives addresses, gives other things */
    unsigned mtu;                /* 0: the link's */
    struct host_address addresses[ADDRESSES_MAX];
    struct host_route routes[ROUTES_MAX];
    struct host_server servers[SERVERS_MAX];
    struct host_name names[NAMES_MAX];
    unsigned address_count, route_count, server_count, name_count;
    /* DHCPv6's, which hold as long as its lease: the first of these counts */
    struct in6_addr leased_servers[DHCP6_SERVERS_MAX];
    char leased_names[DHCP6_SERVERS_MAX][HOSTNAME_BYTES];
    char times[DHCP6_SERVERS_MAX][HOSTNAME_BYTES];
    unsigned leased_server_count, leased_name_count, time_count;
    char odd[ADVERT_ODD_BYTES];  /* what of the last advertisement was left out */
    char trouble[TROUBLE_BYTES]; /* why DHCPv6 gives nothing, though it should */
};

/* Of a card with this address (RFC 4291, appendix A). */
void host_begin(struct host *host, const unsigned char mac[static 6]);

/* -1: it is not taken, err says why. */
int host_take(struct host *host, const struct advert *advert, uint64_t now, struct err *err);

/* What a DHCPv6 server gives; NULL: nothing any more. */
void host_take_lease(struct host *host, const struct dhcp6_answer *answer, uint64_t now);
/* Of an address that another host has: whether DHCPv6 gave it. */
bool host_lease_is_taken(const struct host *host);

/* Drops what has ended, and tries again what another host had; whether something changed. */
bool host_expire(struct host *host, uint64_t now);

/* When host_expire will have something to do. */
uint64_t host_next_end(const struct host *host);

/* Whether a router has to be asked because something has passed three quarters of its time without
 * being renewed: routers may say nothing unless they are asked. True once for each. */
bool host_wants_to_ask(struct host *host, uint64_t now);
/* When host_wants_to_ask will say so next. */
uint64_t host_next_ask(const struct host *host);

/* The address is another host's. */
void host_address_taken(struct host *host, const struct in6_addr *address, uint64_t now);

bool host_has_gateway(const struct host *host);
/* One that nobody else has. */
bool host_has_address(const struct host *host);

#endif
