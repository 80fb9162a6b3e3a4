#include "conf/lease.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Of these half are gateways' own. One option of 255 bytes holds 31 default routes and 51 of the
 * shortest; a server that has more gets a sentence and the first of them. */
#define ROUTES_MAX 64
/* musl's resolver asks three, ntpd polls each that it has: what comes after is dropped. */
#define SERVERS_MAX 4
/* IPv4's least (RFC 791) is 68; no path is below 576, and with less TLS takes a packet per line. */
#define MTU_LEAST 576
#define MTU_USUAL 1500
#define DIGITS "0123456789"

struct lease {
    struct address address;
    struct address on_link[ROUTES_MAX]; /* reached without a gateway, the address's own net aside */
    unsigned on_link_count, route_count;
    bool has_default;
    char *text; /* owned */
};

static void add_line(struct lease *lease, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_line(struct lease *lease, const char *format, ...)
{
    CLEANUP_FREE char *before = lease->text;
    CLEANUP_FREE char *line = NULL;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&line, format, arguments) < 0)
        line = xstrdup("warning the lease does not fit into memory");
    va_end(arguments);
    lease->text = xasprintf("%s%s\n", before, line);
}

static bool read_ipv4(const char *text, struct address *address)
{
    return address_parse(text, address) && address->family == AF_INET;
}

static bool is_any(const struct address *address)
{
    static const unsigned char zero[4];

    return memcmp(address->bytes, zero, sizeof(zero)) == 0;
}

static void print_address(const struct address *address, char text[INET_ADDRSTRLEN])
{
    inet_ntop(AF_INET, address->bytes, text, INET_ADDRSTRLEN);
}

/* Leaves the network of an address; servers may send what comes behind the prefix (RFC 3442). */
static void clear_host_bits(struct address *address)
{
    for (unsigned bit = address->prefix; bit < 32; bit++)
        address->bytes[bit / 8] &= (unsigned char)~(0x80u >> bit % 8);
}

static bool is_on_link(const struct lease *lease, const struct address *gateway)
{
    /* A net of one address has no neighbours. */
    if (lease->address.prefix < 32 && address_same_network(&lease->address, gateway))
        return true;
    for (unsigned i = 0; i < lease->on_link_count; i++)
        if (address_same_network(&lease->on_link[i], gateway))
            return true;
    return false;
}

static bool usable_gateway(const struct lease *lease, const struct address *gateway)
{
    struct address host = *gateway;

    host.prefix = 32;
    return address_of_host(&host) &&
           memcmp(gateway->bytes, lease->address.bytes, sizeof(gateway->bytes)) != 0;
}

/* A route by way of a gateway, or on the link if that is 0.0.0.0. */
static void add_route(struct lease *lease, const struct address *net, const struct address *gateway)
{
    char net_text[INET_ADDRSTRLEN], gateway_text[INET_ADDRSTRLEN];

    print_address(net, net_text);
    print_address(gateway, gateway_text);
    if (is_any(gateway)) {
        add_line(lease, "route %s/%u", net_text, net->prefix);
    } else {
        /* Linux takes no gateway of which it does not know how to reach it. */
        if (!is_on_link(lease, gateway)) {
            lease->on_link[lease->on_link_count++] = *gateway;
            add_line(lease, "route %s/32", gateway_text);
        }
        add_line(lease, "route %s/%u %s", net_text, net->prefix, gateway_text);
    }
    lease->route_count++;
    lease->has_default = lease->has_default || net->prefix == 0;
}

static bool routable(const struct address *net)
{
    return net->bytes[0] != 127 && net->bytes[0] < 224 && (net->bytes[0] != 0 || is_any(net));
}

static bool read_net(const char *text, struct address *net)
{
    CLEANUP_FREE char *copy = xstrdup(text);
    char *slash = strchr(copy, '/');
    size_t digits;

    if (!slash)
        return false;
    *slash++ = '\0';
    digits = strspn(slash, DIGITS);
    if (digits == 0 || digits > 2 || slash[digits] || !read_ipv4(copy, net))
        return false;
    net->prefix = (unsigned)strtoul(slash, NULL, 10);
    if (net->prefix > 32)
        return false;
    clear_host_bits(net);
    return routable(net);
}

/* One pass over "NET/N GATEWAY NET/N GATEWAY ...": first what needs no gateway, since the gateways
 * of the others may be reached by it. */
static void read_route_list(struct lease *lease, const char *list, bool direct)
{
    CLEANUP_FREE char *copy = xstrdup(list);
    char *state = NULL;

    for (char *word = strtok_r(copy, " ", &state); word; word = strtok_r(NULL, " ", &state)) {
        const char *by = strtok_r(NULL, " ", &state);
        struct address net, gateway;
        bool good = by && read_net(word, &net) && read_ipv4(by, &gateway);
        if (good && is_any(&gateway) != direct)
            continue;
        if (!good || (!direct && !usable_gateway(lease, &gateway))) {
            /* Counted in one of the passes. */
            if (!direct)
                add_line(lease, "warning the DHCP server's route %s by %s is malformed; left out",
                         quoted(word).text, quoted(by ? by : "").text);
            continue;
        }
        if (lease->route_count == ROUTES_MAX / 2) {
            add_line(lease, "warning the DHCP server sends more than %d routes; the first are used",
                     ROUTES_MAX / 2);
            return;
        }
        add_route(lease, &net, &gateway);
        if (direct)
            lease->on_link[lease->on_link_count++] = net;
    }
}

/* The first usable one of several: the server names them in the order of its preference. */
static void read_routers(struct lease *lease, const char *list)
{
    CLEANUP_FREE char *copy = xstrdup(list);
    struct address any = {.family = AF_INET, .prefix = 0}, gateway;
    char *state = NULL;

    for (char *word = strtok_r(copy, " ", &state); word; word = strtok_r(NULL, " ", &state)) {
        if (read_ipv4(word, &gateway) && usable_gateway(lease, &gateway)) {
            add_route(lease, &any, &gateway);
            return;
        }
        add_line(lease, "warning the DHCP server names the gateway %s, which cannot be one",
                 quoted(word).text);
    }
}

/* RFC 3442: with option 121 the routers do not count. 249 is the same as Windows has it. */
static void read_routes(struct lease *lease, lease_option *option)
{
    const char *list = option("staticroutes");

    if (!list)
        list = option("msstaticroutes");
    if (list) {
        read_route_list(lease, list, true);
        read_route_list(lease, list, false);
        if (lease->route_count > 0 && !lease->has_default)
            add_line(lease, "note the DHCP server's list of routes (option 121) has no default "
                            "route, and where there is such a list its router does not count");
        if (lease->route_count > 0)
            return;
        add_line(lease, "warning the DHCP server's list of routes (option 121) holds none; its "
                        "router is used");
    }
    if (option("router"))
        read_routers(lease, option("router"));
    if (lease->route_count == 0)
        add_line(lease,
                 "warning the DHCP server names no gateway: only what is on the same network "
                 "can be reached");
}

static void read_servers(struct lease *lease, const char *list, const char *kind)
{
    CLEANUP_FREE char *copy = xstrdup(list ? list : "");
    struct address address;
    unsigned count = 0;
    char *state = NULL;

    for (char *word = strtok_r(copy, " ", &state); word; word = strtok_r(NULL, " ", &state)) {
        if (!read_ipv4(word, &address) || address.bytes[0] == 0 || address.bytes[0] >= 224)
            add_line(lease, "warning the DHCP server names %s as %s server, which is no address",
                     quoted(word).text, kind);
        else if (count++ < SERVERS_MAX)
            add_line(lease, "%s %s", kind, word);
    }
}

static void read_search(struct lease *lease, const char *list)
{
    CLEANUP_FREE char *copy = xstrdup(list ? list : "");
    unsigned count = 0;
    char *state = NULL;

    for (char *word = strtok_r(copy, " ", &state); word; word = strtok_r(NULL, " ", &state)) {
        size_t length = strlen(word);
        if (length > 1 && word[length - 1] == '.')
            word[length - 1] = '\0';
        if (hostname_valid(word) && count++ < SERVERS_MAX)
            add_line(lease, "search %s", word);
    }
}

static void read_mtu(struct lease *lease, const char *text)
{
    size_t digits = text ? strspn(text, DIGITS) : 0;
    unsigned long mtu = digits && digits < 6 && !text[digits] ? strtoul(text, NULL, 10) : 0;

    if (!text)
        return;
    if (mtu < MTU_LEAST)
        add_line(lease, "note the DHCP server asks for an MTU of %s; below %d it is left out",
                 quoted(text).text, MTU_LEAST);
    else if (mtu < MTU_USUAL)
        add_line(lease, "mtu %lu", mtu);
}

/* Before there were masks, the first bits of an address told its network. */
static unsigned prefix_of_class(const struct address *address)
{
    return address->bytes[0] < 128 ? 8 : address->bytes[0] < 192 ? 16 : 24;
}

static int read_own_address(struct lease *lease, lease_option *option, struct err *err)
{
    const char *ip = option("ip"), *mask = option("mask");
    size_t digits = mask ? strspn(mask, DIGITS) : 0;
    unsigned long prefix = digits && digits <= 2 && !mask[digits] ? strtoul(mask, NULL, 10) : 0;

    if (!ip || !read_ipv4(ip, &lease->address))
        return err_set(err, ERR_NETWORK_ERROR, "the DHCP server offers %s, which is no address",
                       quoted(ip ? ip : "").text);
    if (!mask) {
        prefix = prefix_of_class(&lease->address);
        add_line(lease, "note the DHCP server names no netmask; /%lu is taken for %s", prefix, ip);
    } else if (prefix < 1 || prefix > 32) {
        return err_set(err, ERR_NETWORK_ERROR,
                       "the DHCP server offers %s with the netmask %s, which is none", ip,
                       quoted(mask).text);
    }
    lease->address.prefix = (unsigned)prefix;
    if (!address_of_host(&lease->address))
        return err_set(err, ERR_NETWORK_ERROR,
                       "the DHCP server offers %s/%lu, which no host can have", ip, prefix);
    add_line(lease, "address %s/%lu", ip, prefix);
    return 0;
}

char *lease_read(lease_option *option, struct err *err)
{
    struct lease lease = {.text = xstrdup("")};

    if (read_own_address(&lease, option, err) < 0) {
        free(lease.text);
        return NULL;
    }
    read_routes(&lease, option);
    read_mtu(&lease, option("mtu"));
    read_servers(&lease, option("dns"), "dns");
    read_servers(&lease, option("ntpsrv"), "ntp");
    read_search(&lease, option("search") ? option("search") : option("domain"));
    return lease.text;
}
