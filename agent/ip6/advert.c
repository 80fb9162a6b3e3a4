#include "ip6/advert.h"

#include "base/err.h"
#include "ip6/names.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define IP_HEADER 40
#define ADVERT_HEADER 16
#define PROTOCOL_ICMP 58
#define TYPE_ADVERT 134

enum {
    OPTION_PREFIX = 3,
    OPTION_MTU = 5,
    OPTION_ROUTE = 24,
    OPTION_SERVERS = 25,
    OPTION_NAMES = 31
};

/* The least that IPv6 works with (RFC 8200, 5). */
#define MTU_LEAST 1280

static void odd(struct advert *advert, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The first is kept: a router that says one wrong thing says it every time. */
static void odd(struct advert *advert, const char *format, ...)
{
    va_list arguments;

    if (advert->odd[0])
        return;
    va_start(arguments, format);
    vsnprintf(advert->odd, sizeof(advert->odd), format, arguments);
    va_end(arguments);
}

/* RFC 4191: 01 high, 00 medium, 11 low; 10 is reserved. */
static int preference_of(unsigned char flags, int reserved)
{
    static const int values[] = {0, 1, 2, -1};
    int value = values[flags >> 3 & 3];

    return value == 2 ? reserved : value;
}

static void clear_host_bits(struct in6_addr *prefix, unsigned length)
{
    for (unsigned bit = length; bit < 128; bit++)
        prefix->s6_addr[bit / 8] &= (unsigned char)~(0x80u >> bit % 8);
}

static bool is_network(const struct in6_addr *prefix, unsigned length)
{
    return prefix->s6_addr[0] != 0xff && !(length >= 10 && is_link_local(prefix)) &&
           !(length == 128 && !is_usable(prefix));
}

static void read_prefix(struct advert *advert, const unsigned char *option, size_t length)
{
    struct advert_prefix read = {.length = 0};

    if (length != 32) {
        odd(advert, "a prefix option of %zu bytes", length);
        return;
    }
    read.length = option[2];
    read.on_link = option[3] & 0x80;
    read.autonomous = option[3] & 0x40;
    read.valid = read_32(option + 4);
    read.preferred = read_32(option + 8);
    memcpy(&read.prefix, option + 16, 16);
    if (read.length > 128 || read.length == 0) {
        odd(advert, "a prefix of %u bits", read.length);
        return;
    }
    clear_host_bits(&read.prefix, read.length);
    if (!is_network(&read.prefix, read.length)) {
        odd(advert, "the prefix %s/%u, which is no network of hosts", text_of(&read.prefix).text,
            read.length);
        return;
    }
    if (read.preferred > read.valid) {
        odd(advert, "the prefix %s/%u, preferred for longer than it is valid",
            text_of(&read.prefix).text, read.length);
        return;
    }
    if (read.autonomous && read.length != 64) {
        odd(advert, "addresses in %s/%u, where only 64 bits would leave room for the card's own 64",
            text_of(&read.prefix).text, read.length);
        read.autonomous = false;
    }
    if (!read.on_link && !read.autonomous)
        return; /* for routers alone (RFC 4861, 6.3.4) */
    if (advert->prefix_count == ADVERT_PREFIXES_MAX)
        odd(advert, "more than %d prefixes", ADVERT_PREFIXES_MAX);
    else
        advert->prefixes[advert->prefix_count++] = read;
}

static void read_route(struct advert *advert, const unsigned char *option, size_t length)
{
    struct advert_route read = {.length = option[2]};
    size_t needed = read.length == 0 ? 8 : read.length <= 64 ? 16 : 24;

    read.preference = preference_of(option[3], 2);
    if (length > 24 || length < needed || read.length > 128) {
        odd(advert, "a route option of %zu bytes for %u bits", length, read.length);
        return;
    }
    if (read.preference == 2)
        return; /* RFC 4191, 2.3: to be left out without a word */
    read.lifetime = read_32(option + 4);
    memcpy(&read.prefix, option + 8, length - 8);
    clear_host_bits(&read.prefix, read.length);
    if (!is_network(&read.prefix, read.length)) {
        odd(advert, "a route to %s/%u", text_of(&read.prefix).text, read.length);
        return;
    }
    if (advert->route_count == ADVERT_ROUTES_MAX)
        odd(advert, "more than %d routes", ADVERT_ROUTES_MAX);
    else
        advert->routes[advert->route_count++] = read;
}

static void read_mtu(struct advert *advert, const unsigned char *option, size_t length)
{
    uint32_t mtu = length == 8 ? read_32(option + 4) : 0;

    if (length != 8)
        odd(advert, "an MTU option of %zu bytes", length);
    else if (mtu < MTU_LEAST)
        odd(advert, "an MTU of %u, where %d is IPv6's least", mtu, MTU_LEAST);
    else
        advert->mtu = mtu > 65535 ? 65535 : mtu;
}

static void read_servers(struct advert *advert, const unsigned char *option, size_t length)
{
    if (length < 24 || length % 16 != 8) {
        odd(advert, "an option of name servers with %zu bytes", length);
        return;
    }
    for (size_t at = 8; at < length; at += 16) {
        struct advert_server read = {.lifetime = read_32(option + 4)};
        memcpy(&read.address, option + at, 16);
        if (!is_usable(&read.address))
            odd(advert, "the name server %s", text_of(&read.address).text);
        else if (advert->server_count < ADVERT_SERVERS_MAX)
            advert->servers[advert->server_count++] = read;
    }
}

static void read_names(struct advert *advert, const unsigned char *option, size_t length)
{
    size_t at = 8, taken;

    if (length < 16) {
        odd(advert, "an option of search domains with %zu bytes", length);
        return;
    }
    while (advert->name_count < ADVERT_NAMES_MAX) {
        struct advert_name *read = &advert->names[advert->name_count];
        taken = name_take(option + at, length - at, read->name);
        if (taken == 0)
            return;
        at += taken;
        read->lifetime = read_32(option + 4);
        if (read->name[0])
            advert->name_count++;
        else
            odd(advert, "a search domain that is no domain's name");
    }
}

static void read_option(struct advert *advert, const unsigned char *option, size_t length)
{
    switch (option[0]) {
    case OPTION_PREFIX:
        read_prefix(advert, option, length);
        break;
    case OPTION_MTU:
        read_mtu(advert, option, length);
        break;
    case OPTION_ROUTE:
        read_route(advert, option, length);
        break;
    case OPTION_SERVERS:
        read_servers(advert, option, length);
        break;
    case OPTION_NAMES:
        read_names(advert, option, length);
        break;
    default:
        break;
    }
}

static int refuse(struct err *err, const struct in6_addr *from, const char *why)
{
    return err_set(err, ERR_NETWORK_ERROR, "a router advertisement from %s is left out: %s",
                   text_of(from).text, why);
}

/* RFC 4861, 6.1.2. */
static int check(const unsigned char *packet, size_t *length, bool sum_is_good, struct err *err)
{
    struct in6_addr from, to;
    size_t payload;

    if (*length < IP_HEADER || packet[0] >> 4 != 6 || packet[6] != PROTOCOL_ICMP)
        return err_set(err, ERR_NETWORK_ERROR, "a packet that is no router advertisement");
    memcpy(&from, packet + 8, 16);
    memcpy(&to, packet + 24, 16);
    payload = read_16(packet + 4);
    if (payload > *length - IP_HEADER)
        return refuse(err, &from, "it is cut off");
    /* What is behind it fills the frame up. */
    *length = IP_HEADER + payload;
    if (payload < ADVERT_HEADER)
        return refuse(err, &from, "it is too short");
    if (packet[IP_HEADER] != TYPE_ADVERT || packet[IP_HEADER + 1] != 0)
        return refuse(err, &from, "its code is not 0");
    if (packet[7] != 255)
        return refuse(err, &from, "its hop limit says that it comes from beyond a router");
    if (!is_link_local(&from))
        return refuse(err, &from, "its source is no link-local address");
    if (!sum_is_good && checksum_of(&from, &to, PROTOCOL_ICMP, packet + IP_HEADER, payload) != 0)
        return refuse(err, &from, "its checksum is wrong");
    for (size_t at = IP_HEADER + ADVERT_HEADER; at < *length; at += packet[at + 1] * 8u)
        if (*length - at < 8 || packet[at + 1] == 0 || packet[at + 1] * 8u > *length - at)
            return refuse(err, &from, "an option of it has no length or is cut off");
    return 0;
}

int advert_read(const unsigned char *packet, size_t length, bool sum_is_good, struct advert *advert,
                struct err *err)
{
    const unsigned char *head = packet + IP_HEADER;

    memset(advert, 0, sizeof(*advert));
    if (check(packet, &length, sum_is_good, err) < 0)
        return -1;
    memcpy(&advert->router, packet + 8, 16);
    advert->managed = head[5] & 0x80;
    advert->other = head[5] & 0x40;
    advert->lifetime = read_16(head + 6);
    advert->preference = advert->lifetime ? preference_of(head[5], 0) : 0;
    for (size_t at = IP_HEADER + ADVERT_HEADER; at < length; at += packet[at + 1] * 8u)
        read_option(advert, packet + at, packet[at + 1] * 8u);
    return 0;
}
