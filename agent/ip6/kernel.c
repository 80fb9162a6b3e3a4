#include "ip6/kernel.h"

#include "base/log.h"
#include "ip6/names.h"
#include "netlink/message.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

/* What systemd-networkd gives routes of these preferences; 1024 is also what ip gives. */
static const uint32_t metrics[] = {2048, 1024, 512};

/* Linux counts in seconds; it forgets what it was told of at the earliest when we do. */
static uint32_t seconds(uint64_t until, uint64_t now)
{
    if (until == FOREVER)
        return UINT32_MAX;
    return until <= now ? 0 : (uint32_t)((until - now + 999) / 1000);
}

static int change_address(struct kernel *kernel, int type, const struct host_address *address,
                          uint64_t now)
{
    struct ifa_cacheinfo times = {.ifa_prefered = seconds(address->preferred_until, now),
                                  .ifa_valid = seconds(address->valid_until, now)};
    uint32_t flags = IFA_F_NOPREFIXROUTE;
    struct netlink_message message;

    netlink_begin(&message, type, type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_REPLACE : 0,
                  sizeof(message.address));
    message.address = (struct ifaddrmsg){.ifa_family = AF_INET6,
                                         .ifa_prefixlen = (unsigned char)address->length,
                                         .ifa_index = kernel->index};
    netlink_add(&message, IFA_LOCAL, &address->address, 16);
    if (type == RTM_NEWADDR) {
        netlink_add(&message, IFA_CACHEINFO, &times, sizeof(times));
        netlink_add(&message, IFA_FLAGS, &flags, sizeof(flags));
    }
    return -netlink_ask(kernel->requests, &message);
}

static void add_mtu(struct netlink_message *message, uint32_t mtu)
{
    struct rtattr *nest = netlink_add(message, RTA_METRICS, NULL, 0);

    netlink_add(message, RTAX_MTU, &mtu, sizeof(mtu));
    netlink_end_nest(message, nest);
}

static bool has_gateway(const struct host_route *route)
{
    return !is_any(&route->gateway);
}

static int change_route(struct kernel *kernel, int type, const struct host_route *route,
                        unsigned mtu, uint64_t now)
{
    uint32_t metric = metrics[route->preference + 1], expires = seconds(route->until, now);
    struct netlink_message message;

    netlink_begin(&message, type, type == RTM_NEWROUTE ? NLM_F_CREATE : 0, sizeof(message.route));
    message.route = (struct rtmsg){.rtm_family = AF_INET6,
                                   .rtm_dst_len = (unsigned char)route->length,
                                   .rtm_table = RT_TABLE_MAIN,
                                   .rtm_protocol = RTPROT_RA,
                                   .rtm_scope = RT_SCOPE_UNIVERSE,
                                   .rtm_type = RTN_UNICAST};
    if (route->length > 0)
        netlink_add(&message, RTA_DST, &route->net, 16);
    if (has_gateway(route))
        netlink_add(&message, RTA_GATEWAY, &route->gateway, 16);
    netlink_add(&message, RTA_OIF, &kernel->index, sizeof(kernel->index));
    netlink_add(&message, RTA_PRIORITY, &metric, sizeof(metric));
    if (type == RTM_NEWROUTE) {
        if (route->until != FOREVER)
            netlink_add(&message, RTA_EXPIRES, &expires, sizeof(expires));
        if (mtu)
            add_mtu(&message, mtu);
    }
    return -netlink_ask(kernel->requests, &message);
}

static bool same_address(const struct host_address *one, const struct host_address *other)
{
    return memcmp(&one->address, &other->address, 16) == 0 && one->length == other->length;
}

static bool same_route(const struct host_route *one, const struct host_route *other)
{
    return memcmp(&one->net, &other->net, 16) == 0 && one->length == other->length &&
           memcmp(&one->gateway, &other->gateway, 16) == 0;
}

static void set_addresses(struct kernel *kernel, const struct host *host, uint64_t now)
{
    struct host_address set[ADDRESSES_MAX];
    unsigned count = 0, j;
    int error;

    for (unsigned i = 0; i < kernel->address_count; i++) {
        for (j = 0; j < host->address_count; j++)
            if (same_address(&kernel->addresses[i], &host->addresses[j]) &&
                !host->addresses[j].retry_at)
                break;
        if (j == host->address_count)
            change_address(kernel, RTM_DELADDR, &kernel->addresses[i], now);
    }
    for (unsigned i = 0; i < host->address_count; i++) {
        const struct host_address *address = &host->addresses[i];
        if (address->retry_at)
            continue;
        for (j = 0; j < kernel->address_count; j++)
            if (same_address(&kernel->addresses[j], address) &&
                kernel->addresses[j].preferred_until == address->preferred_until &&
                kernel->addresses[j].valid_until == address->valid_until)
                break;
        error = j < kernel->address_count ? 0 : change_address(kernel, RTM_NEWADDR, address, now);
        if (error)
            log_warning("the address %s/%u: %s", text_of(&address->address).text, address->length,
                        strerror(error));
        else
            set[count++] = *address;
    }
    memcpy(kernel->addresses, set, count * sizeof(set[0]));
    kernel->address_count = count;
}

/* Of a route that is there already, Linux takes the new time where both have one, and nothing
 * else. */
static bool renewable(const struct kernel *kernel, const struct host_route *before,
                      const struct host_route *after, unsigned mtu)
{
    return before->preference == after->preference && kernel->mtu == mtu &&
           (before->until == FOREVER) == (after->until == FOREVER);
}

static const struct host_route *find_route(const struct host_route *routes, unsigned count,
                                           const struct host_route *route)
{
    for (unsigned i = 0; i < count; i++)
        if (same_route(&routes[i], route))
            return &routes[i];
    return NULL;
}

/* Gateways outside of everything that is on the link are link-local: no order is needed. */
static void set_routes(struct kernel *kernel, const struct host *host, uint64_t now)
{
    struct host_route set[ROUTES_MAX];
    const struct host_route *before, *after;
    unsigned count = 0;
    int error;

    for (unsigned i = 0; i < kernel->route_count; i++) {
        before = &kernel->routes[i];
        after = find_route(host->routes, host->route_count, before);
        if (!after || !renewable(kernel, before, after, host->mtu))
            change_route(kernel, RTM_DELROUTE, before, 0, now);
    }
    for (unsigned i = 0; i < host->route_count; i++) {
        after = &host->routes[i];
        before = find_route(kernel->routes, kernel->route_count, after);
        error = 0;
        if (!before || before->until != after->until ||
            !renewable(kernel, before, after, host->mtu))
            error = change_route(kernel, RTM_NEWROUTE, after, host->mtu, now);
        if (error && error != EEXIST)
            log_warning("the route to %s/%u%s%s: %s", text_of(&after->net).text, after->length,
                        has_gateway(after) ? " by " : "",
                        has_gateway(after) ? text_of(&after->gateway).text : "", strerror(error));
        else
            set[count++] = *after;
    }
    memcpy(kernel->routes, set, count * sizeof(set[0]));
    kernel->route_count = count;
    kernel->mtu = host->mtu;
}

void kernel_set(struct kernel *kernel, const struct host *host, uint64_t now)
{
    set_addresses(kernel, host, now);
    set_routes(kernel, host, now);
}

static const void *find_attribute(const struct nlmsghdr *header, size_t body, int type,
                                  size_t length)
{
    const char *at = (const char *)NLMSG_DATA(header) + NLMSG_ALIGN(body);
    size_t left = header->nlmsg_len - NLMSG_SPACE(body);

    for (const struct rtattr *attribute = (const struct rtattr *)at; RTA_OK(attribute, left);
         attribute = RTA_NEXT(attribute, left))
        if (attribute->rta_type == type && RTA_PAYLOAD(attribute) >= length)
            return RTA_DATA(attribute);
    return NULL;
}

static void forget_address(struct kernel *kernel, const struct in6_addr *address)
{
    for (unsigned i = 0; i < kernel->address_count; i++)
        if (memcmp(&kernel->addresses[i].address, address, 16) == 0) {
            kernel->addresses[i] = kernel->addresses[--kernel->address_count];
            return;
        }
}

static int read_address(struct kernel *kernel, struct host *host, const struct nlmsghdr *header,
                        uint64_t now)
{
    const struct ifaddrmsg *message = NLMSG_DATA(header);
    const struct in6_addr *address;
    const uint32_t *more;
    unsigned flags;
    bool ready;

    if (header->nlmsg_len < NLMSG_SPACE(sizeof(*message)) || message->ifa_family != AF_INET6 ||
        message->ifa_index != kernel->index)
        return 0;
    address = find_attribute(header, sizeof(*message), IFA_ADDRESS, 16);
    more = find_attribute(header, sizeof(*message), IFA_FLAGS, sizeof(*more));
    if (!address)
        return 0;
    flags = more ? *more : message->ifa_flags;
    ready = header->nlmsg_type == RTM_NEWADDR && !(flags & IFA_F_TENTATIVE);
    if (is_link_local(address)) {
        kernel->link_local = *address;
        kernel->link_local_ready = ready;
        return KERNEL_CHANGED;
    }
    for (unsigned i = 0; i < host->address_count; i++)
        if (memcmp(&host->addresses[i].address, address, 16) == 0)
            host->addresses[i].ready = ready;
    if (flags & IFA_F_DADFAILED)
        host_address_taken(host, address, now);
    else if (header->nlmsg_type == RTM_DELADDR)
        forget_address(kernel, address);
    return KERNEL_CHANGED;
}

static int read_link(struct kernel *kernel, const struct nlmsghdr *header)
{
    const struct ifinfomsg *message = NLMSG_DATA(header);
    bool before = kernel->link_up;
    unsigned index;

    if (header->nlmsg_len < NLMSG_SPACE(sizeof(*message)))
        return 0;
    index = (unsigned)message->ifi_index;
    if (header->nlmsg_type == RTM_DELLINK)
        /* A port that leaves a bridge is "deleted" there as well. */
        return message->ifi_family == AF_UNSPEC &&
                       (index == kernel->index || index == kernel->uplink)
                   ? -1
                   : 0;
    if (index != kernel->uplink)
        return 0;
    kernel->link_up = message->ifi_flags & IFF_RUNNING;
    return kernel->link_up && !before ? KERNEL_LINK_UP : 0;
}

int kernel_read(struct kernel *kernel, struct host *host, uint64_t now)
{
    char data[16 << 10] __attribute__((aligned(NLMSG_ALIGNTO)));
    int happened = 0;
    ssize_t got;

    while ((got = recv(kernel->events, data, sizeof(data), MSG_DONTWAIT)) > 0) {
        size_t left = (size_t)got;
        for (const struct nlmsghdr *header = (const struct nlmsghdr *)data; NLMSG_OK(header, left);
             header = NLMSG_NEXT(header, left)) {
            int one = 0;
            if (header->nlmsg_type == RTM_NEWADDR || header->nlmsg_type == RTM_DELADDR)
                one = read_address(kernel, host, header, now);
            else if (header->nlmsg_type == RTM_NEWLINK || header->nlmsg_type == RTM_DELLINK)
                one = read_link(kernel, header);
            if (one < 0)
                return -1;
            happened |= one;
        }
    }
    return happened;
}

/* Its answer comes where the events come, as if each address had just been given. */
static int ask_for_addresses(struct kernel *kernel, struct err *err)
{
    struct {
        struct nlmsghdr header;
        struct ifaddrmsg address;
    } message = {.header = {.nlmsg_len = sizeof(message),
                            .nlmsg_type = RTM_GETADDR,
                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
                 .address = {.ifa_family = AF_INET6}};

    if (send(kernel->events, &message, sizeof(message), 0) < 0)
        return err_errno(err, ERR_NETWORK_ERROR, errno, "ask for the addresses");
    return 0;
}

int kernel_open(struct kernel *kernel, const char *bridge, const char *uplink, struct err *err)
{
    memset(kernel, 0, sizeof(*kernel));
    kernel->index = if_nametoindex(bridge);
    kernel->uplink = if_nametoindex(uplink);
    if (!kernel->index || !kernel->uplink)
        return err_set(err, ERR_NETWORK_ERROR, "there is no %s", kernel->index ? uplink : bridge);
    kernel->link_up = true;
    kernel->requests = netlink_open(0, err);
    kernel->events =
        kernel->requests < 0 ? -1 : netlink_open(RTMGRP_IPV6_IFADDR | RTMGRP_LINK, err);
    return kernel->events < 0 ? -1 : ask_for_addresses(kernel, err);
}
