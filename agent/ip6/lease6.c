#include "ip6/lease6.h"

#include "ip6/names.h"

#include <stdio.h>
#include <string.h>

#define NEVER UINT64_MAX
#define SECOND UINT64_C(1000)
#define INFINITE UINT32_MAX
/* Four questions take about eight seconds, as long as DHCPv4 is given. */
#define HOPELESS 4
/* A server that wants to be asked more often is asked as often as this. */
#define RENEW_LEAST (3 * SECOND)
#define REFRESH_USUAL 86400

/* RFC 8415, 7.6: first and longest time between two, and how many; 0: without an end. */
static const struct timing {
    enum dhcp6_type type;
    uint64_t first, most;
    unsigned count;
} timings[] = {
    [LEASE6_SOLICITING] = {DHCP6_SOLICIT, 1 * SECOND, 3600 * SECOND, 0},
    [LEASE6_REQUESTING] = {DHCP6_REQUEST, 1 * SECOND, 30 * SECOND, 10},
    [LEASE6_RENEWING] = {DHCP6_RENEW, 10 * SECOND, 600 * SECOND, 0},
    [LEASE6_REBINDING] = {DHCP6_REBIND, 10 * SECOND, 600 * SECOND, 0},
    [LEASE6_DECLINING] = {DHCP6_DECLINE, 1 * SECOND, 0, 4},
    [LEASE6_INFORMING] = {DHCP6_INFORMATION, 1 * SECOND, 3600 * SECOND, 0},
};

static bool asks(const struct lease6 *lease)
{
    return lease->state != LEASE6_OFF && lease->state != LEASE6_BOUND &&
           lease->state != LEASE6_INFORMED;
}

static void enter(struct lease6 *lease, enum lease6_state state, uint64_t now, uint32_t random)
{
    lease->state = state;
    lease->transaction = random & 0xffffff;
    lease->began = lease->next = now;
    lease->interval = 0;
    lease->sent = 0;
    if (state == LEASE6_SOLICITING)
        lease->offered = false;
}

void lease6_begin(struct lease6 *lease, const unsigned char mac[static 6])
{
    static const unsigned char by_link[] = {0, 3, 0, 1}; /* DUID-LL of Ethernet */

    memset(lease, 0, sizeof(*lease));
    memcpy(lease->client.bytes, by_link, sizeof(by_link));
    memcpy(lease->client.bytes + sizeof(by_link), mac, 6);
    lease->client.length = sizeof(by_link) + 6;
    lease->association = read_32(mac + 2);
    lease->solicit_most = timings[LEASE6_SOLICITING].most;
}

void lease6_want(struct lease6 *lease, bool managed, bool other, uint64_t now, uint32_t random)
{
    bool informs = lease->state == LEASE6_INFORMING || lease->state == LEASE6_INFORMED;

    if (managed && (lease->state == LEASE6_OFF || informs))
        enter(lease, LEASE6_SOLICITING, now, random);
    else if (!managed && other && lease->state == LEASE6_OFF)
        enter(lease, LEASE6_INFORMING, now, random);
}

void lease6_check(struct lease6 *lease, uint64_t now, uint32_t random)
{
    if (lease->state == LEASE6_BOUND || lease->state == LEASE6_RENEWING)
        enter(lease, LEASE6_REBINDING, now, random);
    else if (lease->state == LEASE6_INFORMED)
        enter(lease, LEASE6_INFORMING, now, random);
    else if (asks(lease) && lease->state != LEASE6_REBINDING)
        enter(lease, lease->state, now, random);
}

void lease6_decline(struct lease6 *lease, uint64_t now, uint32_t random)
{
    enter(lease, LEASE6_DECLINING, now, random);
}

static void forget(struct lease6 *lease, uint64_t now, uint32_t random)
{
    memset(&lease->address, 0, sizeof(lease->address));
    enter(lease, LEASE6_SOLICITING, now, random);
}

static bool is_for(const struct lease6 *lease, const struct dhcp6_answer *answer)
{
    return asks(lease) && answer->transaction == lease->transaction &&
           answer->client.length == lease->client.length &&
           memcmp(answer->client.bytes, lease->client.bytes, lease->client.length) == 0;
}

static void note_trouble(struct lease6 *lease, const struct dhcp6_answer *answer)
{
    static const char *const names[] = {"no address", "UnspecFail", "NoAddrsAvail", "NoBinding",
                                        "NotOnLink"};
    unsigned status = answer->status < sizeof(names) / sizeof(names[0]) ? answer->status : 1;

    snprintf(lease->trouble, sizeof(lease->trouble), "%s%s%s", names[status],
             answer->reason[0] ? ": " : "", answer->reason);
}

/* After the first interval the first one that comes is taken; before, the best. */
static void take_offer(struct lease6 *lease, const struct dhcp6_answer *answer, uint64_t now)
{
    if (answer->solicit_most)
        lease->solicit_most = answer->solicit_most * SECOND;
    if (answer->status != DHCP6_SUCCESS || is_any(&answer->address)) {
        note_trouble(lease, answer);
        return;
    }
    if (lease->offered && answer->preference <= lease->preference)
        return;
    lease->offered = true;
    lease->preference = answer->preference;
    lease->server = answer->server;
    lease->address = answer->address;
    if (answer->preference == 255 || lease->sent > 1)
        lease->next = now;
}

static uint64_t after(uint64_t now, uint32_t seconds)
{
    return seconds == INFINITE ? NEVER : now + seconds * SECOND;
}

static uint64_t least(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

static void bind_to(struct lease6 *lease, const struct dhcp6_answer *answer, uint64_t now)
{
    uint32_t base = answer->preferred ? answer->preferred : answer->valid;

    lease->state = LEASE6_BOUND;
    lease->server = answer->server;
    lease->address = answer->address;
    lease->valid_until = after(now, answer->valid);
    lease->renew_at = answer->renew      ? after(now, answer->renew)
                      : base == INFINITE ? NEVER
                                         : now + base * SECOND / 2;
    lease->rebind_at = answer->rebind     ? after(now, answer->rebind)
                       : base == INFINITE ? NEVER
                                          : now + base * SECOND / 10 * 8;
    if (lease->renew_at < now + RENEW_LEAST)
        lease->renew_at = now + RENEW_LEAST;
    lease->rebind_at = least(lease->rebind_at, lease->valid_until);
    lease->renew_at = least(lease->renew_at, lease->rebind_at);
    lease->failed = 0;
    lease->trouble[0] = '\0';
}

static enum lease6_news take_reply(struct lease6 *lease, const struct dhcp6_answer *answer,
                                   uint64_t now, uint32_t random)
{
    bool had = lease->state == LEASE6_RENEWING || lease->state == LEASE6_REBINDING;

    if (answer->status == DHCP6_SUCCESS && !is_any(&answer->address)) {
        bind_to(lease, answer, now);
        return LEASE6_NEW;
    }
    if (answer->status == DHCP6_FAILED || (had && !answer->association))
        return LEASE6_NOTHING; /* it is asked again */
    note_trouble(lease, answer);
    if (had && answer->status == DHCP6_NO_BINDING) {
        lease->server = answer->server;
        enter(lease, LEASE6_REQUESTING, now, random);
        return LEASE6_NOTHING;
    }
    /* It takes back what it gave, or offered. Not again at once: two would go round in a circle. */
    forget(lease, now, random);
    if (!had)
        lease->next = now + timings[LEASE6_SOLICITING].first;
    return had ? LEASE6_LOST : LEASE6_NOTHING;
}

enum lease6_news lease6_take(struct lease6 *lease, const struct dhcp6_answer *answer, uint64_t now,
                             uint32_t random)
{
    if (!is_for(lease, answer))
        return LEASE6_NOTHING;
    if (lease->state == LEASE6_SOLICITING) {
        if (answer->type == DHCP6_ADVERTISE)
            take_offer(lease, answer, now);
        return LEASE6_NOTHING;
    }
    if (answer->type != DHCP6_REPLY)
        return LEASE6_NOTHING;
    if (lease->state == LEASE6_DECLINING) {
        forget(lease, now, random);
        return LEASE6_NOTHING;
    }
    if (lease->state != LEASE6_INFORMING)
        return take_reply(lease, answer, now, random);
    lease->state = LEASE6_INFORMED;
    lease->next = after(now, answer->refresh ? answer->refresh : REFRESH_USUAL);
    lease->failed = 0;
    return LEASE6_NEW;
}

/* Where the time of a state is over, the next begins. */
static enum lease6_news change_state(struct lease6 *lease, uint64_t now, uint32_t random)
{
    const struct timing *timing = &timings[lease->state];
    bool had = lease->state == LEASE6_RENEWING || lease->state == LEASE6_REBINDING;

    if (had && now >= lease->valid_until) {
        forget(lease, now, random);
        return LEASE6_LOST;
    }
    if (lease->state == LEASE6_RENEWING && now >= lease->rebind_at)
        enter(lease, LEASE6_REBINDING, now, random);
    else if (lease->state == LEASE6_BOUND && now >= lease->renew_at)
        enter(lease, LEASE6_RENEWING, now, random);
    else if (lease->state == LEASE6_INFORMED && now >= lease->next)
        enter(lease, LEASE6_INFORMING, now, random);
    else if (lease->state == LEASE6_SOLICITING && lease->offered && now >= lease->next)
        enter(lease, LEASE6_REQUESTING, now, random);
    else if (asks(lease) && timing->count && lease->sent == timing->count && now >= lease->next)
        forget(lease, now, random);
    return LEASE6_NOTHING;
}

/* RFC 8415, 15: twice as long each time, and a tenth more or less; the first SOLICIT waits no
 * shorter than a second, for the offers. */
static void set_next(struct lease6 *lease, uint64_t now, uint32_t random)
{
    const struct timing *timing = &timings[lease->state];
    uint64_t most = lease->state == LEASE6_SOLICITING ? lease->solicit_most : timing->most;
    uint64_t interval = lease->interval ? lease->interval * 2 : timing->first;
    uint64_t tenth;

    if (most && interval > most)
        interval = most;
    tenth = interval / 10;
    lease->interval = interval;
    lease->next =
        now + interval + tenth * (random % 1024) / 1024 - (lease->sent > 1 ? tenth / 2 : 0);
}

bool lease6_step(struct lease6 *lease, uint64_t now, uint32_t random,
                 struct dhcp6_question *question, enum lease6_news *news)
{
    *news = change_state(lease, now, random);
    if (!asks(lease) || now < lease->next)
        return false;
    *question = (struct dhcp6_question){.type = timings[lease->state].type,
                                        .transaction = lease->transaction,
                                        .elapsed_ms = now - lease->began,
                                        .client = lease->client,
                                        .association = lease->association,
                                        .with_association = lease->state != LEASE6_INFORMING};
    if (lease->state == LEASE6_REQUESTING || lease->state == LEASE6_RENEWING ||
        lease->state == LEASE6_DECLINING)
        question->server = lease->server;
    if (lease->state != LEASE6_SOLICITING)
        question->address = lease->address;
    lease->sent++;
    lease->failed++;
    set_next(lease, now, random);
    return true;
}

uint64_t lease6_next(const struct lease6 *lease)
{
    switch (lease->state) {
    case LEASE6_OFF:
        return NEVER;
    case LEASE6_BOUND:
        return lease->renew_at;
    case LEASE6_RENEWING:
        return least(lease->next, lease->rebind_at);
    case LEASE6_REBINDING:
        return least(lease->next, lease->valid_until);
    default:
        return lease->next;
    }
}

bool lease6_is_hopeless(const struct lease6 *lease)
{
    return asks(lease) && lease->failed > HOPELESS;
}
