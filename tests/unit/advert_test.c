/* What routers may advertise, and what the node makes of it. */
#include "base/memory.h"
#include "ip6/advert.h"
#include "ip6/ask.h"
#include "ip6/host.h"
#include "ip6/names.h"
#include "ip6/tell.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000)

/* A packet as hexadecimal digits: header, flags and lifetime of the advertisement, its options. */
struct packet {
    unsigned char bytes[2048];
    size_t length;
};

static void append(struct packet *packet, const char *hex)
{
    packet->length += unit_hex(hex, packet->bytes + packet->length);
}

static void sum_up(struct packet *packet)
{
    struct in6_addr from, to;
    size_t length = packet->length - 40;
    uint16_t sum;

    packet->bytes[4] = (unsigned char)(length >> 8);
    packet->bytes[5] = (unsigned char)length;
    packet->bytes[42] = packet->bytes[43] = 0;
    memcpy(&from, packet->bytes + 8, 16);
    memcpy(&to, packet->bytes + 24, 16);
    sum = checksum_of(&from, &to, 58, packet->bytes + 40, length);
    packet->bytes[42] = (unsigned char)(sum >> 8);
    packet->bytes[43] = (unsigned char)sum;
}

#define FROM "fe80000000000000 0000000000000001"
#define TO "ff02000000000000 0000000000000001"
#define HEAD(flags, lifetime) "86000000 40" flags lifetime "00000000 00000000"
#define PREFIX(length, flags, valid, preferred, prefix)                                            \
    "0304" length flags valid preferred "00000000" prefix
#define DB8(n) "20010db80000000" n "0000000000000000"
#define HOUR "00000e10"
#define DAY "00015180"
#define NONE "00000000"

static struct packet advertisement(const char *body)
{
    struct packet packet = {.length = 0};

    append(&packet, "60000000 0000 3a ff" FROM TO);
    append(&packet, body);
    sum_up(&packet);
    return packet;
}

static int read_body(const char *body, struct advert *advert, struct err *err)
{
    struct packet packet = advertisement(body);

    return advert_read(packet.bytes, packet.length, false, advert, err);
}

TEST(advert_is_read)
{
    struct advert advert;
    struct err err;

    CHECK_NUMBER(
        0, read_body(HEAD("c8", "0708") "0101 525400000001" PREFIX(
                         "40", "c0", DAY, HOUR,
                         DB8("1")) "0501000000000578"
                                   "1903000000000258" DB8(
                                       "5") "18030018 00000e10"
                                            "20010db8000000ff 0000000000000000"
                                            "1f04000000000258"
                                            "076578616d706c65 036e657400 00 0000 0000000000000000",
                     &advert, &err));
    CHECK_TEXT("fe80::1", text_of(&advert.router).text);
    CHECK_NUMBER(1800, advert.lifetime);
    CHECK_NUMBER(1, advert.preference);
    CHECK(advert.managed && advert.other);
    CHECK_NUMBER(1400, advert.mtu);
    CHECK_NUMBER(1, advert.prefix_count);
    CHECK_TEXT("2001:db8:0:1::", text_of(&advert.prefixes[0].prefix).text);
    CHECK_NUMBER(86400, advert.prefixes[0].valid);
    CHECK_NUMBER(3600, advert.prefixes[0].preferred);
    CHECK(advert.prefixes[0].on_link && advert.prefixes[0].autonomous);
    CHECK_NUMBER(1, advert.server_count);
    CHECK_NUMBER(600, advert.servers[0].lifetime);
    CHECK_NUMBER(1, advert.name_count);
    CHECK_TEXT("example.net", advert.names[0].name);
    CHECK_TEXT("", advert.odd);
}

struct refusal {
    unsigned place; /* of a byte that is another, */
    unsigned char value;
    bool sum; /* with a checksum for it */
    const char *why;
};

TEST(advert_that_is_none)
{
    static const struct refusal refusals[] = {
        {7, 254, true, "beyond a router"},   {8, 0x20, true, "no link-local address"},
        {41, 1, true, "code is not 0"},      {42, 0x12, false, "checksum is wrong"},
        {57, 0, true, "an option of it"},    {57, 5, true, "an option of it"},
        {4, 0xff, false, "it is cut off"},   {5, 15, false, "it is too short"},
        {0, 0x45, true, "no router advert"}, {6, 0, true, "no router advert"},
        {40, 133, true, "code is not 0"},
    };
    struct advert advert;
    struct err err;

    for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++) {
        struct packet packet =
            advertisement(HEAD("00", "0708") PREFIX("40", "c0", DAY, HOUR, DB8("1")));
        unsigned char length[2] = {packet.bytes[4], packet.bytes[5]};
        packet.bytes[refusals[i].place] = refusals[i].value;
        if (refusals[i].sum) {
            sum_up(&packet);
            memcpy(packet.bytes + 4, length, 2);
        }
        err.message[0] = '\0';
        CHECK_NUMBER(-1, advert_read(packet.bytes, packet.length, false, &advert, &err));
        CHECK_HOLDS(refusals[i].why, err.message);
    }
    CHECK_NUMBER(-1, read_body("86000000", &advert, &err));
    for (size_t length = 0; length < 40; length++)
        CHECK_NUMBER(-1, advert_read((const unsigned char[40]){0x60, [6] = 58}, length, false,
                                     &advert, &err));
}

/* A card that has checked the sum, or a neighbour on the same machine that has made none. */
TEST(advert_whose_sum_is_not_looked_at)
{
    struct packet packet = advertisement(HEAD("00", "0708"));
    struct advert advert;

    packet.bytes[42] ^= 0xff;
    CHECK_NUMBER(-1, advert_read(packet.bytes, packet.length, false, &advert, NULL));
    CHECK_NUMBER(0, advert_read(packet.bytes, packet.length, true, &advert, NULL));
}

struct oddity {
    const char *options;
    const char *odd; /* "": nothing */
    unsigned prefixes, routes, servers, names;
};

TEST(advert_with_odd_options)
{
    static const struct oddity oddities[] = {
        {PREFIX("40", "c0", HOUR, DAY, DB8("1")), "preferred for longer than it is valid", 0, 0, 0,
         0},
        {PREFIX("40", "c0", DAY, HOUR, "fe80000000000000 0000000000000000"), "no network of hosts",
         0, 0, 0, 0},
        {PREFIX("40", "c0", DAY, HOUR, "ff05000000000000 0000000000000000"), "no network of hosts",
         0, 0, 0, 0},
        {PREFIX("81", "c0", DAY, HOUR, DB8("1")), "a prefix of 129 bits", 0, 0, 0, 0},
        {PREFIX("00", "c0", DAY, HOUR, DB8("1")), "a prefix of 0 bits", 0, 0, 0, 0},
        /* on the link, but no room for the card's own bits */
        {PREFIX("30", "c0", DAY, HOUR, DB8("1")), "only 64 bits", 1, 0, 0, 0},
        {PREFIX("30", "40", DAY, HOUR, DB8("1")), "only 64 bits", 0, 0, 0, 0},
        {PREFIX("30", "80", DAY, HOUR, DB8("1")), "", 1, 0, 0, 0},
        /* for routers alone */
        {PREFIX("40", "20", DAY, HOUR, DB8("1")), "", 0, 0, 0, 0},
        {"0303400000000000 0000000000000000 0000000000000000", "a prefix option of 24 bytes", 0, 0,
         0, 0},
        {"05010000000004ff", "an MTU of 1279", 0, 0, 0, 0},
        {"05010000ffffffff", "", 0, 0, 0, 0},
        {"0502000000000578 0000000000000000", "an MTU option of 16 bytes", 0, 0, 0, 0},
        {"1902000000000258 20010db800000000", "name servers with 16 bytes", 0, 0, 0, 0},
        {"1903000000000258 ff02000000000000 0000000000000001", "the name server ff02::1", 0, 0, 0,
         0},
        {"1903000000000258 fe80000000000000 0000000000000001", "", 0, 0, 1, 0},
        /* a reserved preference, a route that is shorter than it says, one to everything */
        {"18020010 00000e10 20010db800000000", "", 0, 0, 0, 0},
        {"18022010 00000e10 20010db800000000", "", 0, 0, 0, 0},
        {"18027000 00000e10 20010db800000000", "a route option of 16 bytes for 112 bits", 0, 0, 0,
         0},
        {"18010000 00000e10", "", 0, 1, 0, 0},
        {"1802200000000e10 20010db800000000", "", 0, 1, 0, 0},
        /* names: zeros only, a pointer, one that is cut off, one with a zero in it, two */
        {"1f02000000000258 0000000000000000", "", 0, 0, 0, 0},
        {"1f02000000000258 c00c000000000000", "", 0, 0, 0, 0},
        {"1f02000000000258 0761626364656667", "", 0, 0, 0, 0},
        {"1f02000000000258 0361006200000000", "no domain's name", 0, 0, 0, 0},
        {"1f02000000000258 0124000000000000", "no domain's name", 0, 0, 0, 0},
        {"1f02000000000258 0161000162000000", "", 0, 0, 0, 2},
        /* what nobody knows yet */
        {"fe01000000000000 2602000000000000 0064ff9b00000000", "", 0, 0, 0, 0},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(oddities); i++) {
        CLEANUP_FREE char *body = xasprintf("%s%s", HEAD("00", "0708"), oddities[i].options);
        struct advert advert;
        struct err err = {.message = ""};
        if (!CHECK_NUMBER(0, read_body(body, &advert, &err)))
            puts(err.message);
        if (oddities[i].odd[0])
            CHECK_HOLDS(oddities[i].odd, advert.odd);
        else
            CHECK_TEXT("", advert.odd);
        if (!CHECK(advert.prefix_count == oddities[i].prefixes &&
                   advert.route_count == oddities[i].routes &&
                   advert.server_count == oddities[i].servers &&
                   advert.name_count == oddities[i].names))
            puts(oddities[i].options);
    }
}

static void take(struct host *host, const char *body, uint64_t now)
{
    struct advert advert;
    struct err err;

    if (!CHECK_NUMBER(0, read_body(body, &advert, &err)) ||
        !CHECK_NUMBER(0, host_take(host, &advert, now, &err)))
        puts(err.message);
}

static struct host begin(void)
{
    static const unsigned char mac[6] = {0x52, 0x54, 0, 0xab, 0xcd, 0xef};
    struct host host;

    host_begin(&host, mac);
    return host;
}

TEST(host_takes_what_is_advertised)
{
    struct host host = begin();

    take(&host, HEAD("00", "0708") PREFIX("40", "c0", DAY, HOUR, DB8("1")), SECOND);
    CHECK_NUMBER(1, host.address_count);
    CHECK_TEXT("2001:db8:0:1:5054:ff:feab:cdef", text_of(&host.addresses[0].address).text);
    CHECK_NUMBER(86401 * SECOND, host.addresses[0].valid_until);
    CHECK_NUMBER(3601 * SECOND, host.addresses[0].preferred_until);
    CHECK_NUMBER(2, host.route_count);
    CHECK(host_has_gateway(&host) && !host_has_address(&host));
    CHECK_NUMBER(1801 * SECOND, host_next_end(&host));
    /* asked before it ends: not every router speaks without being asked */
    CHECK_NUMBER(1351 * SECOND, host_next_ask(&host));
    CHECK(!host_wants_to_ask(&host, 1350 * SECOND));
    CHECK(host_wants_to_ask(&host, 1351 * SECOND));
    CHECK(!host_wants_to_ask(&host, 1352 * SECOND));
    /* the same once more changes nothing but the times */
    take(&host, HEAD("00", "0708") PREFIX("40", "c0", DAY, HOUR, DB8("1")), 1400 * SECOND);
    CHECK_NUMBER(1, host.address_count);
    CHECK_NUMBER(2, host.route_count);
    CHECK_NUMBER(3200 * SECOND, host_next_end(&host));
    /* the router ends, the address stays until it ends itself */
    CHECK(!host_expire(&host, 3199 * SECOND));
    CHECK(host_expire(&host, 3200 * SECOND));
    CHECK(!host_has_gateway(&host));
    CHECK_NUMBER(1, host.address_count);
    CHECK(host_expire(&host, 87800 * SECOND));
    CHECK_NUMBER(0, host.address_count + host.route_count);
    CHECK_NUMBER(FOREVER, host_next_end(&host));
}

TEST(host_without_the_router_that_says_so)
{
    struct host host = begin();

    take(&host, HEAD("00", "0708") PREFIX("40", "c0", DAY, HOUR, DB8("1")), SECOND);
    take(&host, HEAD("00", "0000") PREFIX("40", "c0", DAY, HOUR, DB8("1")), 2 * SECOND);
    CHECK(!host_has_gateway(&host));
    CHECK_NUMBER(1, host.address_count);
    CHECK_NUMBER(1, host.route_count);
    /* on the link no more: the address stays, what is near goes by the gateway (RFC 5942) */
    take(&host, HEAD("00", "0708") PREFIX("40", "80", NONE, NONE, DB8("1")), 3 * SECOND);
    CHECK_NUMBER(1, host.address_count);
    CHECK_NUMBER(1, host.route_count);
    CHECK(host_has_gateway(&host));
}

/* RFC 4862, 5.5.3 e: what is left, what comes, what is left then. */
TEST(host_keeps_an_address_for_two_hours)
{
    static const struct {
        const char *before, *after;
        unsigned wanted;
    } cases[] = {
        {DAY, HOUR, 7200},
        {DAY, "00001c21", 7201},
        {HOUR, "00000708", 3600},
        {"00000708", HOUR, 3600},
        {DAY, NONE, 7200},
        {HOUR, NONE, 3600},
        {"00001c20", "0000003c", 7200},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct host host = begin();
        CLEANUP_FREE char *before = xasprintf("%s0304 40 c0 %s %s 00000000 %s", HEAD("00", "0708"),
                                              cases[i].before, cases[i].before, DB8("1"));
        CLEANUP_FREE char *after = xasprintf("%s0304 40 c0 %s %s 00000000 %s", HEAD("00", "0708"),
                                             cases[i].after, NONE, DB8("1"));
        take(&host, before, 0);
        take(&host, after, 0);
        CHECK_NUMBER(cases[i].wanted * SECOND, host.addresses[0].valid_until);
        /* deprecated it is at once */
        CHECK_NUMBER(0, host.addresses[0].preferred_until);
    }
}

TEST(host_with_endless_times)
{
    struct host host = begin();

    take(&host, HEAD("00", "ffff") PREFIX("40", "c0", "ffffffff", "ffffffff", DB8("1")), SECOND);
    CHECK_NUMBER(FOREVER, host.addresses[0].valid_until);
    CHECK_NUMBER(65536 * SECOND, host_next_end(&host));
    host_expire(&host, UINT64_C(1) << 60);
    CHECK_NUMBER(1, host.address_count);
    CHECK_NUMBER(1, host.route_count);
}

TEST(host_with_several_routers)
{
    struct host host = begin();
    struct packet packet = advertisement(
        HEAD("18", "0e10") PREFIX("40", "c0", DAY, HOUR, DB8("2")) "18010008 0000003c");
    struct advert advert;
    struct err err;

    take(&host, HEAD("08", "0708") PREFIX("40", "c0", DAY, HOUR, DB8("1")), SECOND);
    packet.bytes[23] = 2;
    sum_up(&packet);
    CHECK_NUMBER(0, advert_read(packet.bytes, packet.length, false, &advert, &err));
    CHECK_NUMBER(-1, advert.preference);
    CHECK_NUMBER(0, host_take(&host, &advert, SECOND, &err));
    CHECK_NUMBER(2, host.address_count);
    CHECK_NUMBER(4, host.route_count);
    /* Its own route to everything wins over its word as a router. */
    CHECK_TEXT("fe80::2", text_of(&host.routes[3].gateway).text);
    CHECK_NUMBER(1, host.routes[3].preference);
    CHECK_NUMBER(61 * SECOND, host.routes[3].until);
    /* only the operator's */
    inet_pton(AF_INET6, "fe80::1", &host.only_router);
    CHECK_NUMBER(-1, host_take(&host, &advert, SECOND, &err));
    CHECK_HOLDS("slicenode.net names the gateway fe80::1", err.message);
}

/* Any number of prefixes, routers and routes: there is an end to what is kept. */
TEST(host_in_a_flood)
{
    struct host host = begin();

    for (unsigned i = 0; i < 5000; i++) {
        char body[512];
        struct packet packet;
        struct advert advert;
        snprintf(body, sizeof(body),
                 "%s0304 40 c0 %s %s 00000000 20010db8%04x0000 0000000000000000"
                 "18023000 00000e10 20010db9%04x0000 1903 0000 00000258 20010dba%04x0000 "
                 "0000000000000001",
                 HEAD("00", "0708"), DAY, HOUR, i, i, i);
        packet = advertisement(body);
        packet.bytes[22] = (unsigned char)(i >> 8);
        packet.bytes[23] = (unsigned char)i;
        sum_up(&packet);
        CHECK_NUMBER(0, advert_read(packet.bytes, packet.length, false, &advert, NULL));
        CHECK_NUMBER(0, host_take(&host, &advert, SECOND, NULL));
    }
    CHECK_NUMBER(ADDRESSES_MAX, host.address_count);
    CHECK_NUMBER(ROUTES_MAX, host.route_count);
    CHECK_NUMBER(SERVERS_MAX, host.server_count);
    CHECK_HOLDS("than any network needs", host.odd);
}

TEST(host_whose_address_another_has)
{
    struct host host = begin();

    take(&host, HEAD("00", "0708") PREFIX("40", "c0", DAY, HOUR, DB8("1")), SECOND);
    host.addresses[0].ready = true;
    host_address_taken(&host, &host.addresses[0].address, 2 * SECOND);
    CHECK(!host_has_address(&host));
    CLEANUP_FREE char *told = host_tell(&host, false, "xenbr0", "eth0");
    CHECK_HOLDS("warning another host has the address 2001:db8:0:1:5054:ff:feab:cdef", told);
    CHECK_NUMBER(302 * SECOND, host.addresses[0].retry_at);
    take(&host, HEAD("00", "0708") PREFIX("40", "c0", DAY, HOUR, DB8("1")), 3 * SECOND);
    CHECK(host.addresses[0].retry_at);
    CHECK_NUMBER(302 * SECOND, host_next_end(&host));
    CHECK(host_expire(&host, 302 * SECOND));
    CHECK(!host.addresses[0].retry_at);
}

TEST(ip6_is_told)
{
    struct host host = begin();
    char *told = host_tell(&host, false, "xenbr0", "eth0");

    CHECK_TEXT("end\n", told);
    free(told);
    told = host_tell(&host, true, "xenbr0", "eth0");
    CHECK_HOLDS("missing no IPv6 router has advertised itself on eth0; still asking", told);
    free(told);
    take(&host,
         HEAD("00", "0708") PREFIX("40", "c0", DAY, HOUR, DB8("1")) PREFIX(
             "40", "c0", HOUR, DAY, DB8("2")) "1903000000000258 fe80000000000000 0000000000000053"
                                              "1f02000000000258 0161000162000000",
         SECOND);
    told = host_tell(&host, false, "xenbr0", "eth0");
    CHECK_TEXT(
        "router fe80::1\ndns fe80::53%xenbr0\nsearch a\nsearch b\nnote the IPv6 router fe80::1 "
        "advertises the prefix 2001:db8:0:2::/64, preferred for longer than it is valid; that "
        "is left out\nend\n",
        told);
    free(told);
    host.addresses[0].ready = true;
    take(&host, HEAD("00", "0000"), SECOND);
    told = host_tell(&host, false, "xenbr0", "eth0");
    CHECK_HOLDS("address 2001:db8:0:1:5054:ff:feab:cdef/64\n", told);
    CHECK_HOLDS("warning no IPv6 router says that it is a gateway (fe80::1", told);
    free(told);
    host = begin();
    take(&host, HEAD("00", "0708"), SECOND);
    told = host_tell(&host, false, "xenbr0", "eth0");
    CHECK_HOLDS("missing the IPv6 router fe80::1 advertises no prefix", told);
    free(told);
    told = host_tell(&host, true, "xenbr0", "eth0");
    CHECK_HOLDS("what it said is over", told);
    free(told);
}

TEST(ip6_asks_more_and_more_rarely)
{
    struct ask ask = {.on = false};
    uint64_t now = 10 * SECOND, sent = 0, first = 0;

    ask_begin(&ask, now);
    while (now < 90000 * SECOND) {
        now = ask_next(&ask);
        CHECK(ask_is_due(&ask, now));
        CHECK(sent == 0 || now - ask.last >= 4 * SECOND);
        CHECK(ask_is_hopeless(&ask, now) == (sent >= 3));
        ask_sent(&ask, now, (uint32_t)sent * 77);
        if (++sent == 4)
            first = now;
    }
    CHECK_NUMBER(22 * SECOND, first);
    CHECK(sent > 25 && sent < 45);
    ask_answered(&ask);
    CHECK(ask_is_over(&ask, now) && !ask_is_hopeless(&ask, now));
    ask_end(&ask);
    CHECK(!ask_is_due(&ask, UINT64_MAX) && ask_next(&ask) == UINT64_MAX);
    /* Nobody makes the node ask faster than that. */
    ask_begin(&ask, now + 1);
    CHECK_NUMBER(now + 4 * SECOND, ask_next(&ask));
}
