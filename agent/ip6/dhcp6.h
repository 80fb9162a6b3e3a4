/* Messages of DHCPv6 (RFC 8415, 3646, 5908) as this node writes and reads them: one address, name
 * and time servers. What a server says is outside data. Pure. */
#ifndef SLICENODE_IP6_DHCP6_H
#define SLICENODE_IP6_DHCP6_H

#include "base/check.h"
#include "base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dhcp6_type {
    DHCP6_SOLICIT = 1,
    DHCP6_ADVERTISE = 2,
    DHCP6_REQUEST = 3,
    DHCP6_RENEW = 5,
    DHCP6_REBIND = 6,
    DHCP6_REPLY = 7,
    DHCP6_DECLINE = 9,
    DHCP6_INFORMATION = 11
};

enum dhcp6_status {
    DHCP6_SUCCESS,
    DHCP6_FAILED,
    DHCP6_NO_ADDRESS,
    DHCP6_NO_BINDING,
    DHCP6_NOT_ON_LINK
};

#define DHCP6_DUID_MOST 130 /* RFC 8415, 11.1 */
#define DHCP6_MESSAGE_BYTES 512
/* As many as the resolver asks, and one more; ntpd polls each that it has. */
#define DHCP6_SERVERS_MAX 4

struct dhcp6_duid {
    unsigned char bytes[DHCP6_DUID_MOST];
    size_t length;
};

struct dhcp6_question {
    enum dhcp6_type type;
    uint32_t transaction; /* 24 bits */
    uint64_t elapsed_ms;
    struct dhcp6_duid client, server; /* the server's length is 0: all are asked */
    uint32_t association;             /* IAID */
    bool with_association;
    struct in6_addr address; /* ::, when none is named */
};

/* How many bytes it has, at most DHCP6_MESSAGE_BYTES. */
size_t dhcp6_write(const struct dhcp6_question *question,
                   unsigned char message[static DHCP6_MESSAGE_BYTES]);

struct dhcp6_answer {
    enum dhcp6_type type;
    uint32_t transaction;
    struct dhcp6_duid client, server;
    unsigned preference;
    unsigned status;  /* the worst that is said of the whole, the association and the address */
    char reason[64];  /* the server's words for it, fit to be shown */
    bool association; /* it speaks of ours */
    struct in6_addr address;                  /* ::, when there is none */
    uint32_t preferred, valid, renew, rebind; /* seconds; renew and rebind 0: ours to choose */
    struct in6_addr servers[DHCP6_SERVERS_MAX];
    char names[DHCP6_SERVERS_MAX][HOSTNAME_BYTES];
    char times[DHCP6_SERVERS_MAX][HOSTNAME_BYTES]; /* NTP servers, names or addresses */
    unsigned server_count, name_count, time_count;
    uint32_t refresh;      /* of what is no address; 0: not said */
    uint32_t solicit_most; /* seconds between two SOLICITs; 0: not said */
};

/* `packet` begins with the IPv6 header, as in advert_read; `association` is ours. -1: it is to be
 * thrown away, err says why. */
int dhcp6_read(const unsigned char *packet, size_t length, bool sum_is_good, uint32_t association,
               struct dhcp6_answer *answer, struct err *err);

#endif
