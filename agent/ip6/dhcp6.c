#include "ip6/dhcp6.h"

#include "base/err.h"
#include "base/text.h"
#include "ip6/names.h"

#include <stdio.h>
#include <string.h>

#define HEADERS 48 /* IPv6 and UDP */
#define PORT_CLIENT 546

enum {
    OPTION_CLIENT = 1,
    OPTION_SERVER = 2,
    OPTION_ASSOCIATION = 3,
    OPTION_ADDRESS = 5,
    OPTION_REQUEST = 6,
    OPTION_PREFERENCE = 7,
    OPTION_ELAPSED = 8,
    OPTION_STATUS = 13,
    OPTION_SERVERS = 23,
    OPTION_NAMES = 24,
    OPTION_REFRESH = 32,
    OPTION_TIMES = 56,
    OPTION_SOLICIT_MOST = 82,
    OPTION_INFORMATION_MOST = 83
};

struct writer {
    unsigned char *bytes;
    size_t length;
};

static void put(struct writer *to, const void *bytes, size_t length)
{
    memcpy(to->bytes + to->length, bytes, length);
    to->length += length;
}

static void put_16(struct writer *to, unsigned value)
{
    put(to, (unsigned char[]){(unsigned char)(value >> 8), (unsigned char)value}, 2);
}

static void put_32(struct writer *to, uint32_t value)
{
    put_16(to, value >> 16);
    put_16(to, value & 0xffff);
}

static void put_duid(struct writer *to, unsigned option, const struct dhcp6_duid *duid)
{
    put_16(to, option);
    put_16(to, (unsigned)duid->length);
    put(to, duid->bytes, duid->length);
}

/* T1, T2 and the times of the address are the server's to say. */
static void put_association(struct writer *to, const struct dhcp6_question *question)
{
    bool named = !is_any(&question->address);

    put_16(to, OPTION_ASSOCIATION);
    put_16(to, named ? 12 + 28 : 12);
    put_32(to, question->association);
    put_32(to, 0);
    put_32(to, 0);
    if (!named)
        return;
    put_16(to, OPTION_ADDRESS);
    put_16(to, 24);
    put(to, &question->address, 16);
    put_32(to, 0);
    put_32(to, 0);
}

/* With two DUIDs of 130 bytes it has 380. */
size_t dhcp6_write(const struct dhcp6_question *question,
                   unsigned char message[static DHCP6_MESSAGE_BYTES])
{
    static const unsigned asked[] = {OPTION_SERVERS, OPTION_NAMES, OPTION_TIMES,
                                     OPTION_SOLICIT_MOST};
    struct writer to = {.bytes = message};
    uint64_t elapsed = question->elapsed_ms / 10;

    put_32(&to, (uint32_t)question->type << 24 | question->transaction);
    put_duid(&to, OPTION_CLIENT, &question->client);
    if (question->server.length > 0)
        put_duid(&to, OPTION_SERVER, &question->server);
    put_16(&to, OPTION_ELAPSED);
    put_16(&to, 2);
    put_16(&to, elapsed > 0xffff ? 0xffff : (unsigned)elapsed);
    if (question->with_association)
        put_association(&to, question);
    if (question->type == DHCP6_DECLINE)
        return to.length;
    put_16(&to, OPTION_REQUEST);
    put_16(&to, question->with_association ? 8 : 12);
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
        put_16(&to, asked[i]);
    if (!question->with_association) {
        put_16(&to, OPTION_REFRESH);
        put_16(&to, OPTION_INFORMATION_MOST);
    }
    return to.length;
}

/* One option after the other: its number, 0 at the end and where one is cut off. */
struct reader {
    const unsigned char *at, *end;
    const unsigned char *value;
    size_t length;
};

static unsigned next_option(struct reader *reader)
{
    unsigned option;

    if (reader->end - reader->at < 4)
        return 0;
    option = read_16(reader->at);
    reader->length = read_16(reader->at + 2);
    reader->value = reader->at + 4;
    if ((size_t)(reader->end - reader->value) < reader->length)
        return 0;
    reader->at = reader->value + reader->length;
    return option;
}

static void read_status(struct dhcp6_answer *answer, const struct reader *option)
{
    char text[sizeof(answer->reason)];
    size_t length;

    if (option->length < 2 || read_16(option->value) == DHCP6_SUCCESS)
        return;
    answer->status = read_16(option->value);
    length = option->length - 2;
    if (length >= sizeof(text))
        length = sizeof(text) - 1;
    memcpy(text, option->value + 2, length);
    text[length] = '\0';
    text_clean(text);
    copy_text(answer->reason, sizeof(answer->reason), text);
}

static void read_address(struct dhcp6_answer *answer, const struct reader *option)
{
    struct reader inner;
    struct in6_addr address;
    uint32_t preferred, valid;
    unsigned status = answer->status, number;

    if (option->length < 24)
        return;
    inner = (struct reader){.at = option->value + 24, .end = option->value + option->length};
    memcpy(&address, option->value, 16);
    preferred = read_32(option->value + 16);
    valid = read_32(option->value + 20);
    while ((number = next_option(&inner)))
        if (number == OPTION_STATUS)
            read_status(answer, &inner);
    if (answer->status != status || !is_any(&answer->address) || preferred > valid || valid == 0 ||
        !is_usable(&address) || is_link_local(&address))
        return;
    answer->address = address;
    answer->preferred = preferred;
    answer->valid = valid;
}

static void read_association(struct dhcp6_answer *answer, const struct reader *option,
                             uint32_t association)
{
    struct reader inner;
    unsigned number;

    if (option->length < 12 || read_32(option->value) != association)
        return;
    inner = (struct reader){.at = option->value + 12, .end = option->value + option->length};
    answer->renew = read_32(option->value + 4);
    answer->rebind = read_32(option->value + 8);
    if (answer->renew > answer->rebind && answer->rebind > 0)
        return; /* RFC 8415, 21.4 */
    answer->association = true;
    while ((number = next_option(&inner))) {
        if (number == OPTION_ADDRESS)
            read_address(answer, &inner);
        else if (number == OPTION_STATUS)
            read_status(answer, &inner);
    }
}

static void read_servers(struct dhcp6_answer *answer, const struct reader *option)
{
    for (size_t at = 0; at + 16 <= option->length; at += 16) {
        struct in6_addr server;
        memcpy(&server, option->value + at, 16);
        if (is_usable(&server) && answer->server_count < DHCP6_SERVERS_MAX)
            answer->servers[answer->server_count++] = server;
    }
}

static void read_names(struct dhcp6_answer *answer, const struct reader *option)
{
    size_t at = 0, taken;

    while (answer->name_count < DHCP6_SERVERS_MAX &&
           (taken = name_take(option->value + at, option->length - at,
                              answer->names[answer->name_count]))) {
        at += taken;
        if (answer->names[answer->name_count][0])
            answer->name_count++;
    }
}

/* RFC 5908: each time server is an address (1) or a name (3); groups (2) are not listened to. */
static void read_times(struct dhcp6_answer *answer, const struct reader *option)
{
    struct reader inner = {.at = option->value, .end = option->value + option->length};
    struct in6_addr address;
    unsigned number;

    while ((number = next_option(&inner)) && answer->time_count < DHCP6_SERVERS_MAX) {
        char *time = answer->times[answer->time_count];
        if (number == 1 && inner.length == 16) {
            memcpy(&address, inner.value, 16);
            if (is_usable(&address) && !is_link_local(&address))
                copy_text(time, HOSTNAME_BYTES, text_of(&address).text);
        } else if (number == 3) {
            name_take(inner.value, inner.length, time);
        }
        if (time[0])
            answer->time_count++;
    }
}

static void read_duid(struct dhcp6_duid *duid, const struct reader *option)
{
    if (option->length == 0 || option->length > sizeof(duid->bytes))
        return;
    memcpy(duid->bytes, option->value, option->length);
    duid->length = option->length;
}

static uint32_t read_seconds(const struct reader *option, uint32_t least, uint32_t most)
{
    uint32_t value = option->length == 4 ? read_32(option->value) : 0;

    return value >= least && value <= most ? value : 0;
}

static void read_option(struct dhcp6_answer *answer, unsigned number, const struct reader *option,
                        uint32_t association)
{
    switch (number) {
    case OPTION_CLIENT:
        read_duid(&answer->client, option);
        break;
    case OPTION_SERVER:
        read_duid(&answer->server, option);
        break;
    case OPTION_ASSOCIATION:
        read_association(answer, option, association);
        break;
    case OPTION_PREFERENCE:
        answer->preference = option->length == 1 ? option->value[0] : 0;
        break;
    case OPTION_STATUS:
        read_status(answer, option);
        break;
    case OPTION_SERVERS:
        read_servers(answer, option);
        break;
    case OPTION_NAMES:
        read_names(answer, option);
        break;
    case OPTION_TIMES:
        read_times(answer, option);
        break;
    case OPTION_REFRESH: /* RFC 8415, 21.23: ten minutes at least */
        answer->refresh = read_seconds(option, 600, UINT32_MAX);
        break;
    case OPTION_SOLICIT_MOST: /* 21.24 */
        answer->solicit_most = read_seconds(option, 60, 86400);
        break;
    default:
        break;
    }
}

static int refuse(struct err *err, const struct in6_addr *from, const char *why)
{
    return err_set(err, ERR_NETWORK_ERROR, "a DHCPv6 message from %s is left out: %s",
                   text_of(from).text, why);
}

static int check(const unsigned char *packet, size_t *length, bool sum_is_good, struct err *err)
{
    struct in6_addr from, to;
    size_t payload;

    if (*length < HEADERS || packet[0] >> 4 != 6 || packet[6] != IPPROTO_UDP ||
        read_16(packet + 42) != PORT_CLIENT)
        return err_set(err, ERR_NETWORK_ERROR, "a packet that is no message of DHCPv6");
    memcpy(&from, packet + 8, 16);
    memcpy(&to, packet + 24, 16);
    payload = read_16(packet + 4);
    if (payload > *length - 40 || payload < 12 || read_16(packet + 44) != payload)
        return refuse(err, &from, "it is cut off");
    if (!sum_is_good && checksum_of(&from, &to, IPPROTO_UDP, packet + 40, payload) != 0)
        return refuse(err, &from, "its checksum is wrong");
    *length = 40 + payload;
    return 0;
}

int dhcp6_read(const unsigned char *packet, size_t length, bool sum_is_good, uint32_t association,
               struct dhcp6_answer *answer, struct err *err)
{
    struct reader reader;
    struct in6_addr from;
    unsigned number;

    memset(answer, 0, sizeof(*answer));
    if (check(packet, &length, sum_is_good, err) < 0)
        return -1;
    memcpy(&from, packet + 8, 16);
    answer->type = packet[HEADERS];
    answer->transaction = read_32(packet + HEADERS) & 0xffffff;
    if (answer->type != DHCP6_ADVERTISE && answer->type != DHCP6_REPLY)
        return refuse(err, &from, "it is no server's answer");
    reader = (struct reader){.at = packet + HEADERS + 4, .end = packet + length};
    while ((number = next_option(&reader)))
        read_option(answer, number, &reader, association);
    if (reader.at != reader.end)
        return refuse(err, &from, "an option of it is cut off");
    if (answer->server.length == 0 || answer->client.length == 0)
        return refuse(err, &from, "it does not say from whom and for whom it is");
    return 0;
}
