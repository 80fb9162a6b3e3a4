/* What DHCPv6 servers may say, and what the node says then. */
#include "base/memory.h"
#include "ip6/host.h"
#include "ip6/lease6.h"
#include "ip6/names.h"
#include "ip6/tell.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000)
#define CLIENT "0001000a 00030001 5254000000ab"
#define OTHER "0001000a 00030001 5254000000ac"
#define SERVER "0002000a 00030001 5254000000ff"
#define SERVER_2 "0002000a 00030001 5254000000fe"
#define IAID "000000ab"
#define ADDRESS(preferred, valid) "00050018 20010db8000000000000000000000099" preferred valid
#define ASSOCIATION(t1, t2, preferred, valid) "00030028" IAID t1 t2 ADDRESS(preferred, valid)
#define USUAL ASSOCIATION("00000708", "00000b40", "00000e10", "00001c20")
#define REFUSAL(status) "00030014" IAID "00000000 00000000 000d0004 00" status "6e6f"
#define NOW UINT64_C(1000000)

static const unsigned char mac[6] = {0x52, 0x54, 0, 0, 0, 0xab};

/* A server's message as a packet, read. */
static int read_message(unsigned type, uint32_t transaction, const char *options,
                        struct dhcp6_answer *answer, struct err *err)
{
    unsigned char packet[2048] = {0x60,     [6] = 17,    [7] = 64,    [8] = 0xfe, [9] = 0x80,
                                  [23] = 1, [24] = 0xfe, [25] = 0x80, [39] = 2};
    size_t length = 40;
    struct in6_addr from, to;
    uint16_t sum;

    length += unit_hex("0223 0222 0000 0000", packet + length);
    packet[length++] = (unsigned char)type;
    packet[length++] = (unsigned char)(transaction >> 16);
    packet[length++] = (unsigned char)(transaction >> 8);
    packet[length++] = (unsigned char)transaction;
    length += unit_hex(options, packet + length);
    packet[5] = packet[45] = (unsigned char)(length - 40);
    packet[4] = packet[44] = (unsigned char)((length - 40) >> 8);
    memcpy(&from, packet + 8, 16);
    memcpy(&to, packet + 24, 16);
    sum = checksum_of(&from, &to, 17, packet + 40, length - 40);
    packet[46] = (unsigned char)(sum >> 8);
    packet[47] = (unsigned char)sum;
    return dhcp6_read(packet, length, false, 0x000000ab, answer, err);
}

TEST(dhcp6_answer_is_read)
{
    struct dhcp6_answer answer;
    struct err err;

    CHECK_NUMBER(0, read_message(7, 0x123456,
                                 CLIENT SERVER USUAL "00070001 ff"
                                                     "00170020 20010db8000000000000000000000053"
                                                     "ff020000000000000000000000000053"
                                                     "0018000d 076578616d706c65 036e657400"
                                                     "00380029 00010010 "
                                                     "20010db8000000000000000000000123"
                                                     "00030011 036e7470 076578616d706c65 036e657400"
                                                     "00520004 00000e10",
                                 &answer, &err));
    CHECK_NUMBER(0x123456, answer.transaction);
    CHECK_TEXT("2001:db8::99", text_of(&answer.address).text);
    CHECK_NUMBER(3600, answer.preferred);
    CHECK_NUMBER(7200, answer.valid);
    CHECK_NUMBER(1800, answer.renew);
    CHECK_NUMBER(2880, answer.rebind);
    CHECK_NUMBER(255, answer.preference);
    CHECK_NUMBER(1, answer.server_count);
    CHECK_TEXT("2001:db8::53", text_of(&answer.servers[0]).text);
    CHECK_NUMBER(1, answer.name_count);
    CHECK_TEXT("example.net", answer.names[0]);
    CHECK_NUMBER(2, answer.time_count);
    CHECK_TEXT("2001:db8::123", answer.times[0]);
    CHECK_TEXT("ntp.example.net", answer.times[1]);
    CHECK_NUMBER(3600, answer.solicit_most);
    CHECK_NUMBER(0, answer.status);
}

/* `address`: whether there is one that can be used. */
struct odd_answer {
    const char *options;
    bool address;
    unsigned status;
};

TEST(dhcp6_odd_answers)
{
    static const struct odd_answer answers[] = {
        {CLIENT SERVER, false, 0},
        {CLIENT SERVER REFUSAL("02"), false, 2},
        /* 30 bytes, which other clients take for too short */
        {CLIENT SERVER "0003001e" IAID "00000000 00000000 000d000e 0002 4e6f4164647273417661696c",
         false, 2},
        /* the status of the address itself */
        {CLIENT SERVER "00030030" IAID
                       "00000000 00000000 00050020 20010db8000000000000000000000099 "
                       "00000e10 00001c20 000d0004 0003 6e6f",
         false, 3},
        /* of the whole */
        {CLIENT SERVER "000d0002 0004", false, 4},
        {CLIENT SERVER "000d0002 0000" USUAL, true, 0},
        {CLIENT SERVER "000d0001 00" USUAL, true, 0},
        /* for another, T1 behind T2, preferred for longer, valid no more, no address of a host */
        {CLIENT SERVER "00030028 000000ac 00000708 00000b40" ADDRESS("00000e10", "00001c20"), false,
         0},
        {CLIENT SERVER ASSOCIATION("00000b40", "00000708", "00000e10", "00001c20"), false, 0},
        {CLIENT SERVER ASSOCIATION("00000b40", "00000000", "00000e10", "00001c20"), true, 0},
        {CLIENT SERVER ASSOCIATION("00000708", "00000b40", "00001c20", "00000e10"), false, 0},
        {CLIENT SERVER ASSOCIATION("00000708", "00000b40", "00000000", "00000000"), false, 0},
        {CLIENT SERVER "00030028" IAID
                       "00000000 00000000 00050018 fe800000000000000000000000000099 "
                       "00000e10 00001c20",
         false, 0},
        {CLIENT SERVER "00030028" IAID
                       "00000000 00000000 00050018 ff020000000000000000000000000099 "
                       "00000e10 00001c20",
         false, 0},
        /* a status for what was not asked for (a prefix) is no status of ours */
        {CLIENT SERVER USUAL "0019001400000001 00000000 00000000 000d0004 0006 6e6f", true, 0},
        {CLIENT SERVER "0019001400000001 00000000 00000000 000d0004 0006 6e6f" USUAL, true, 0},
        /* options that nobody knows, of any number */
        {CLIENT SERVER "01000000 ffff0001 00" USUAL, true, 0},
        /* two addresses: the first */
        {CLIENT SERVER "00030044" IAID "00000708 00000b40" ADDRESS(
             "00000e10", "00001c20") "00050018 20010db8000000000000000000000098 00000e10 00001c20",
         true, 0},
    };
    struct dhcp6_answer answer;
    struct err err;

    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        if (!CHECK_NUMBER(0, read_message(7, 1, answers[i].options, &answer, &err)))
            puts(err.message);
        bool address = strcmp(text_of(&answer.address).text, "2001:db8::99") == 0;
        if (!CHECK(address == answers[i].address) ||
            !CHECK_NUMBER(answers[i].status, answer.status))
            puts(answers[i].options);
    }
    CHECK_NUMBER(-1, read_message(7, 1, CLIENT USUAL, &answer, &err));
    CHECK_HOLDS("from whom", err.message);
    CHECK_NUMBER(-1, read_message(7, 1, SERVER USUAL, &answer, &err));
    CHECK_NUMBER(-1, read_message(7, 1, CLIENT SERVER "00170010 20010db8", &answer, &err));
    CHECK_HOLDS("an option of it is cut off", err.message);
    CHECK_NUMBER(-1, read_message(1, 1, CLIENT SERVER, &answer, &err));
    CHECK_HOLDS("no server's answer", err.message);
}

/* The next question, and when it comes. */
static uint64_t asked(struct lease6 *lease, enum dhcp6_type type)
{
    struct dhcp6_question question;
    enum lease6_news news;
    uint64_t now = lease6_next(lease);
    bool sends = lease6_step(lease, now, 0x777, &question, &news);
    unsigned char message[DHCP6_MESSAGE_BYTES];

    /* Where a state ends and the next begins, nothing may be said yet. */
    if (!sends)
        sends = lease6_step(lease, lease6_next(lease), 0x777, &question, &news);
    if (CHECK(sends)) {
        size_t length = dhcp6_write(&question, message);
        CHECK_NUMBER(type, question.type);
        CHECK(length > 30 && length < 150 && message[0] == type);
    }
    return now;
}

static enum lease6_news answered(struct lease6 *lease, unsigned type, const char *options,
                                 uint64_t now)
{
    struct dhcp6_answer answer;
    struct err err;

    if (!CHECK_NUMBER(0, read_message(type, lease->transaction, options, &answer, &err)))
        puts(err.message);
    return lease6_take(lease, &answer, now, 0x888);
}

static struct lease6 soliciting(void)
{
    struct lease6 lease;

    lease6_begin(&lease, mac);
    lease6_want(&lease, false, false, NOW, 1);
    CHECK_NUMBER(LEASE6_OFF, lease.state);
    lease6_want(&lease, true, true, NOW, 1);
    CHECK_NUMBER(NOW, asked(&lease, DHCP6_SOLICIT));
    return lease;
}

static struct lease6 bound(const char *options)
{
    struct lease6 lease = soliciting();

    CHECK_NUMBER(LEASE6_NOTHING, answered(&lease, 2, CLIENT SERVER "00070001 ff" USUAL, NOW));
    CHECK_NUMBER(NOW, asked(&lease, DHCP6_REQUEST));
    CHECK_NUMBER(LEASE6_NEW, answered(&lease, 7, options, NOW));
    CHECK_NUMBER(LEASE6_BOUND, lease.state);
    return lease;
}

TEST(lease6_usual)
{
    struct lease6 lease = bound(CLIENT SERVER USUAL);

    CHECK_NUMBER(NOW + 1800 * SECOND, asked(&lease, DHCP6_RENEW));
    CHECK_NUMBER(LEASE6_NEW, answered(&lease, 7, CLIENT SERVER USUAL, NOW + 1800 * SECOND));
    CHECK_NUMBER(NOW + 3600 * SECOND, lease6_next(&lease));
}

TEST(lease6_best_of_several_offers)
{
    struct lease6 lease = soliciting();

    answered(&lease, 2, CLIENT SERVER_2 "00070001 01" USUAL, NOW);
    answered(&lease, 2, CLIENT SERVER "00070001 02" USUAL, NOW);
    answered(&lease, 2, CLIENT SERVER_2 USUAL, NOW);
    /* One without an address takes nobody's place, not even its own. */
    answered(&lease, 2, CLIENT SERVER_2 REFUSAL("02"), NOW);
    answered(&lease, 2, CLIENT SERVER, NOW);
    answered(&lease, 2, OTHER SERVER_2 "00070001 ff" USUAL, NOW);
    CHECK(lease6_next(&lease) >= NOW + SECOND);
    asked(&lease, DHCP6_REQUEST);
    CHECK_NUMBER(0xff, lease.server.bytes[9]);
}

/* Nobody answers the renewal, then somebody else does; then nobody until the end. */
TEST(lease6_rebinds_and_ends)
{
    struct lease6 lease = bound(CLIENT SERVER USUAL);
    struct dhcp6_question question;
    enum lease6_news news = LEASE6_NOTHING;
    uint64_t now = NOW;
    unsigned renewals = 0, rebindings = 0;

    for (unsigned i = 0; i < 100 && news != LEASE6_LOST; i++) {
        now = lease6_next(&lease);
        if (!lease6_step(&lease, now, i, &question, &news))
            continue;
        renewals += question.type == DHCP6_RENEW;
        rebindings += question.type == DHCP6_REBIND;
        CHECK((question.type == DHCP6_REBIND) == (now >= NOW + 2880 * SECOND) || news);
        CHECK((question.server.length == 0) == (question.type != DHCP6_RENEW));
    }
    CHECK_NUMBER(NOW + 7200 * SECOND, now);
    CHECK(renewals >= 5 && renewals < 12 && rebindings >= 8 && rebindings < 20);
    CHECK_NUMBER(LEASE6_SOLICITING, lease.state);
}

TEST(lease6_what_a_renewal_may_bring)
{
    static const struct {
        const char *options;
        enum lease6_news news;
        enum lease6_state state;
    } cases[] = {
        {CLIENT SERVER REFUSAL("03"), LEASE6_NOTHING, LEASE6_REQUESTING}, /* NoBinding */
        {CLIENT SERVER REFUSAL("04"), LEASE6_LOST, LEASE6_SOLICITING},    /* NotOnLink */
        {CLIENT SERVER REFUSAL("02"), LEASE6_LOST, LEASE6_SOLICITING},
        {CLIENT SERVER REFUSAL("01"), LEASE6_NOTHING, LEASE6_RENEWING},
        {CLIENT SERVER, LEASE6_NOTHING, LEASE6_RENEWING},
        /* taken back by its time */
        {CLIENT SERVER ASSOCIATION("00000000", "00000000", "00000000", "00000000"), LEASE6_LOST,
         LEASE6_SOLICITING},
        {OTHER SERVER USUAL, LEASE6_NOTHING, LEASE6_RENEWING},
        {CLIENT SERVER USUAL, LEASE6_NEW, LEASE6_BOUND},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct lease6 lease = bound(CLIENT SERVER USUAL);
        uint64_t now = asked(&lease, DHCP6_RENEW);
        CHECK_NUMBER(cases[i].news, answered(&lease, 7, cases[i].options, now));
        CHECK_NUMBER(cases[i].state, lease.state);
    }
}

TEST(lease6_times)
{
    static const struct {
        const char *association;
        uint64_t renew, rebind; /* seconds; 0: never */
    } cases[] = {
        {ASSOCIATION("00000000", "00000000", "00000e10", "00001c20"), 1800, 2880},
        {ASSOCIATION("00000000", "00000000", "00000000", "00001c20"), 3600, 5760},
        {ASSOCIATION("00000001", "00000002", "00000e10", "00001c20"), 2, 2},
        {ASSOCIATION("00000001", "00000e10", "00000e10", "00001c20"), 3, 3600},
        {ASSOCIATION("ffffffff", "ffffffff", "ffffffff", "ffffffff"), 0, 0},
        {ASSOCIATION("00000000", "00000000", "ffffffff", "ffffffff"), 0, 0},
        {ASSOCIATION("00002710", "00004e20", "00000e10", "00001c20"), 7200, 7200},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        CLEANUP_FREE char *options = xasprintf("%s%s", CLIENT SERVER, cases[i].association);
        struct lease6 lease = bound(options);
        CHECK_NUMBER(cases[i].renew ? NOW + cases[i].renew * SECOND : UINT64_MAX, lease.renew_at);
        CHECK_NUMBER(cases[i].rebind ? NOW + cases[i].rebind * SECOND : UINT64_MAX,
                     lease.rebind_at);
    }
}

TEST(lease6_without_an_address)
{
    struct lease6 lease = soliciting();

    CHECK(!lease6_is_hopeless(&lease));
    answered(&lease, 2, CLIENT SERVER REFUSAL("02"), NOW);
    CHECK_TEXT("NoAddrsAvail: no", lease.trouble);
    for (unsigned i = 0; i < 4; i++)
        asked(&lease, DHCP6_SOLICIT);
    CHECK(lease6_is_hopeless(&lease));
    /* One at last, which then has changed its mind: nobody goes round in a circle. */
    answered(&lease, 2, CLIENT SERVER USUAL, NOW + 60 * SECOND);
    CHECK_NUMBER(NOW + 60 * SECOND, asked(&lease, DHCP6_REQUEST));
    answered(&lease, 7, CLIENT SERVER REFUSAL("02"), NOW + 61 * SECOND);
    CHECK_NUMBER(NOW + 62 * SECOND, asked(&lease, DHCP6_SOLICIT));
    /* An offer whose server is gone when it is taken. */
    answered(&lease, 2, CLIENT SERVER "00070001 ff" USUAL, NOW + 63 * SECOND);
    for (unsigned i = 0; i < 10; i++)
        asked(&lease, DHCP6_REQUEST);
    asked(&lease, DHCP6_SOLICIT);
}

TEST(lease6_that_another_has)
{
    struct lease6 lease = bound(CLIENT SERVER USUAL);

    lease6_decline(&lease, NOW, 5);
    asked(&lease, DHCP6_DECLINE);
    answered(&lease, 7, CLIENT SERVER "000d0002 0000", NOW);
    asked(&lease, DHCP6_SOLICIT);
}

TEST(lease6_of_other_things)
{
    struct lease6 lease;

    lease6_begin(&lease, mac);
    lease6_want(&lease, false, true, NOW, 1);
    asked(&lease, DHCP6_INFORMATION);
    CHECK_NUMBER(LEASE6_NEW, answered(&lease, 7,
                                      CLIENT SERVER "00170010 20010db8000000000000000000000053"
                                                    "00200004 00000e10",
                                      NOW));
    CHECK_NUMBER(NOW + 3600 * SECOND, asked(&lease, DHCP6_INFORMATION));
    answered(&lease, 7, CLIENT SERVER "00200004 00000001", NOW);
    CHECK_NUMBER(NOW + 86400 * SECOND, lease6_next(&lease));
    /* A cable that was in another switch; a router that has changed its mind. */
    lease6_check(&lease, NOW, 1);
    CHECK_NUMBER(NOW, asked(&lease, DHCP6_INFORMATION));
    lease6_want(&lease, true, true, NOW, 1);
    asked(&lease, DHCP6_SOLICIT);
}

/* A router that is no gateway and says that addresses come by DHCPv6 (systemd/systemd#33357). */
TEST(host_whose_dhcp_gives_nothing)
{
    struct host host;
    struct advert advert = {.managed = true};
    struct err err;

    host_begin(&host, mac);
    inet_pton(AF_INET6, "fe80::1", &advert.router);
    CHECK_NUMBER(0, host_take(&host, &advert, NOW, &err));
    CHECK(host.managed);
    char *told = host_tell(&host, false, "xenbr0", "eth0");
    CHECK_TEXT("end\n", told);
    free(told);
    strcpy(host.trouble, "no server answers");
    told = host_tell(&host, false, "xenbr0", "eth0");
    CHECK_TEXT("missing the IPv6 router fe80::1 says that DHCPv6 gives addresses, but no server "
               "answers; still asking\nend\n",
               told);
    free(told);
}

TEST(host_with_a_lease)
{
    struct host host;
    struct dhcp6_answer answer;
    struct err err;

    host_begin(&host, mac);
    CHECK_NUMBER(0, read_message(7, 1, CLIENT SERVER USUAL, &answer, &err));
    host_take_lease(&host, &answer, NOW);
    CHECK_NUMBER(1, host.address_count);
    CHECK_NUMBER(128, host.addresses[0].length);
    CHECK_NUMBER(NOW + 7200 * SECOND, host_next_end(&host));
    host_take_lease(&host, &answer, NOW + SECOND);
    CHECK_NUMBER(1, host.address_count);
    answer.address.s6_addr[15] = 0x98;
    host_take_lease(&host, &answer, NOW + SECOND);
    CHECK_NUMBER(1, host.address_count);
    CHECK_TEXT("2001:db8::98", text_of(&host.addresses[0].address).text);
    host_address_taken(&host, &answer.address, NOW);
    CHECK(host_lease_is_taken(&host));
    host_take_lease(&host, NULL, NOW);
    CHECK_NUMBER(0, host.address_count);
}
