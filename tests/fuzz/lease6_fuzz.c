/* Answers of DHCPv6 servers to a node that asks: two bytes of seconds, a byte of length, then the
 * type of the message and its options; transaction and client are made right. */
#include "base/text.h"
#include "fuzz.h"
#include "ip6/host.h"
#include "ip6/lease6.h"
#include "ip6/names.h"

#include <stdlib.h>
#include <string.h>

static const unsigned char mac[6] = {0x52, 0x54, 0, 1, 2, 3};

/* A packet of its own length, so that reading beyond it is seen. */
static unsigned char *packet_of(const struct lease6 *lease, const uint8_t *data, size_t length,
                                size_t *size)
{
    size_t client = 4 + lease->client.length, udp = 8 + 4 + client + (length ? length - 1 : 0);
    unsigned char *packet = calloc(1, 40 + udp);

    REQUIRE(packet);
    *size = 40 + udp;
    packet[0] = 0x60;
    packet[6] = 17;
    packet[4] = packet[44] = (unsigned char)(udp >> 8);
    packet[5] = packet[45] = (unsigned char)udp;
    packet[42] = 2;
    packet[43] = 0x22;
    packet[48] = length ? data[0] : 0;
    packet[49] = (unsigned char)(lease->transaction >> 16);
    packet[50] = (unsigned char)(lease->transaction >> 8);
    packet[51] = (unsigned char)lease->transaction;
    packet[53] = 1;
    packet[55] = (unsigned char)lease->client.length;
    memcpy(packet + 56, lease->client.bytes, lease->client.length);
    if (length > 1)
        memcpy(packet + 52 + client, data + 1, length - 1);
    return packet;
}

static void check(const struct dhcp6_answer *answer)
{
    REQUIRE(text_valid(answer->reason));
    REQUIRE(answer->preferred <= answer->valid);
    REQUIRE(answer->server_count <= DHCP6_SERVERS_MAX && answer->name_count <= DHCP6_SERVERS_MAX &&
            answer->time_count <= DHCP6_SERVERS_MAX);
    for (unsigned i = 0; i < answer->name_count; i++)
        REQUIRE(hostname_valid(answer->names[i]));
    for (unsigned i = 0; i < answer->time_count; i++)
        REQUIRE(strchr(answer->times[i], ':') || hostname_valid(answer->times[i]));
}

static void ask(struct lease6 *lease, struct host *host, uint64_t now)
{
    struct dhcp6_question question;
    unsigned char message[DHCP6_MESSAGE_BYTES];
    enum lease6_news news;
    unsigned sent = 0;

    while (lease6_step(lease, now, (uint32_t)now, &question, &news)) {
        REQUIRE(dhcp6_write(&question, message) <= sizeof(message));
        REQUIRE(++sent < 3);
    }
    if (news == LEASE6_LOST)
        host_take_lease(host, NULL, now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lease6 lease;
    struct host host;
    struct dhcp6_answer answer;
    struct err err;
    uint64_t now = 1000;

    host_begin(&host, mac);
    lease6_begin(&lease, mac);
    lease6_want(&lease, true, true, now, 1);
    while (size > 3) {
        size_t length = data[2], whole;
        unsigned char *packet;
        enum lease6_news news;

        now += (uint64_t)(data[0] << 8 | data[1]) * 1000;
        data += 3;
        size -= 3;
        if (length > size)
            length = size;
        ask(&lease, &host, now);
        packet = packet_of(&lease, data, length, &whole);
        if (dhcp6_read(packet, whole, true, lease.association, &answer, &err) == 0) {
            check(&answer);
            news = lease6_take(&lease, &answer, now, (uint32_t)now);
            if (news != LEASE6_NOTHING)
                host_take_lease(&host, news == LEASE6_NEW ? &answer : NULL, now);
        } else {
            REQUIRE(text_valid(err.message));
        }
        REQUIRE(text_valid(lease.trouble));
        REQUIRE(host.address_count <= 1);
        free(packet);
        data += length;
        size -= length;
        host_expire(&host, now);
    }
    return 0;
}
