/* The conversation with DHCPv6 servers (RFC 8415, 18.2): when to say what, and what an answer
 * means. Knows no sockets and no clock. Pure. */
#ifndef SLICENODE_IP6_LEASE6_H
#define SLICENODE_IP6_LEASE6_H

#include "ip6/dhcp6.h"

#include <stdbool.h>
#include <stdint.h>

enum lease6_state {
    LEASE6_OFF,
    LEASE6_SOLICITING,
    LEASE6_REQUESTING,
    LEASE6_BOUND,
    LEASE6_RENEWING,
    LEASE6_REBINDING,
    LEASE6_DECLINING,
    LEASE6_INFORMING, /* no address, only the other things */
    LEASE6_INFORMED
};

struct lease6 {
    enum lease6_state state;
    struct dhcp6_duid client, server;
    uint32_t association, transaction;
    uint64_t began, next, interval; /* of this exchange; ms */
    unsigned sent;
    bool offered; /* `server` is the best that has offered something */
    unsigned preference;
    uint64_t solicit_most;
    struct in6_addr address; /* ::, when there is none */
    uint64_t renew_at, rebind_at, valid_until;
    unsigned failed;  /* questions without an answer that helped, since the last one that did */
    char trouble[96]; /* why a server gives nothing, "" */
};

enum lease6_news { LEASE6_NOTHING, LEASE6_NEW, LEASE6_LOST };

void lease6_begin(struct lease6 *lease, const unsigned char mac[static 6]);

/* What the routers say: addresses, other things. Begins when it has not; what was begun goes on. */
void lease6_want(struct lease6 *lease, bool managed, bool other, uint64_t now, uint32_t random);

/* The network may be another one. */
void lease6_check(struct lease6 *lease, uint64_t now, uint32_t random);

/* Somebody else has the address. */
void lease6_decline(struct lease6 *lease, uint64_t now, uint32_t random);

/* LEASE6_NEW: what is in the answer holds from now on; LEASE6_LOST: nothing does any more. */
enum lease6_news lease6_take(struct lease6 *lease, const struct dhcp6_answer *answer, uint64_t now,
                             uint32_t random);

/* What is due: fills `question` and returns true when it is to be sent now. LEASE6_LOST in `news`
 * when the lease has ended without a new one. */
bool lease6_step(struct lease6 *lease, uint64_t now, uint32_t random,
                 struct dhcp6_question *question, enum lease6_news *news);
/* When lease6_step has something to do. */
uint64_t lease6_next(const struct lease6 *lease);

/* Whether servers were asked for long enough to say that none gives anything. */
bool lease6_is_hopeless(const struct lease6 *lease);

#endif
