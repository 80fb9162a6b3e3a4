/* Packets of the uplink itself: what came in on the wire, never what a slice has sent to the bridge
 * behind it. */
#ifndef SLICENODE_IP6_PORT_H
#define SLICENODE_IP6_PORT_H

#include "base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#define PORT_PACKET_BYTES 2048

struct port {
    int socket;
    unsigned index;
    unsigned char mac[6];
};

struct packet {
    unsigned char bytes[PORT_PACKET_BYTES]; /* from the IPv6 header on */
    size_t length;
    bool sum_is_good;
};

/* Takes router advertisements, and what comes for DHCPv6's clients; `bridge` is where Linux would
 * answer the latter that nobody is there. */
int port_open(struct port *port, const char *bridge, const char *uplink, struct err *err);

/* Without waiting; false: there is none. */
bool port_receive(struct port *port, struct packet *packet);

/* To all DHCPv6 servers and relays; `from` is a link-local address. */
int port_send_dhcp(struct port *port, const struct in6_addr *from, const unsigned char *message,
                   size_t length, struct err *err);

/* Asks the routers, from this address or, while there is none, from ::. */
int port_solicit(struct port *port, const struct in6_addr *from, struct err *err);

#endif
