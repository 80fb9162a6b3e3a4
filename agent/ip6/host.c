#include "ip6/host.h"

#include "base/text.h"
#include "ip6/names.h"

#include <stdio.h>
#include <string.h>

#define MTU_USUAL 1500
#define TWO_HOURS (UINT64_C(7200) * 1000)
/* Another host's mistake is usually put right within an hour; to ask costs three packets. */
#define RETRY_TAKEN (UINT64_C(300) * 1000)

static uint64_t until(uint64_t now, uint32_t lifetime)
{
    return lifetime == LIFETIME_INFINITE ? FOREVER : now + lifetime * UINT64_C(1000);
}

static uint64_t ask_at(uint64_t now, uint64_t end)
{
    return end == FOREVER ? FOREVER : now + (end - now) / 4 * 3;
}

static bool same(const struct in6_addr *one, const struct in6_addr *other)
{
    return memcmp(one, other, sizeof(*one)) == 0;
}

static void too_many(struct host *host, const char *what)
{
    if (!host->odd[0])
        snprintf(host->odd, sizeof(host->odd), "more %s than any network needs", what);
}

void host_begin(struct host *host, const unsigned char mac[static 6])
{
    memset(host, 0, sizeof(*host));
    memcpy(host->interface_id, mac, 3);
    host->interface_id[0] ^= 2;
    host->interface_id[3] = 0xff;
    host->interface_id[4] = 0xfe;
    memcpy(host->interface_id + 5, mac + 3, 3);
}

static struct host_address *find_address(struct host *host, const struct in6_addr *address)
{
    for (unsigned i = 0; i < host->address_count; i++)
        if (same(&host->addresses[i].address, address))
            return &host->addresses[i];
    return NULL;
}

/* RFC 4862, 5.5.3: nobody can end an address within two hours by a forged advertisement. */
static uint64_t valid_until(const struct host_address *address, uint64_t now, uint32_t lifetime)
{
    uint64_t wanted = until(now, lifetime);

    if (lifetime * UINT64_C(1000) > TWO_HOURS || wanted > address->valid_until)
        return wanted;
    if (address->valid_until <= now + TWO_HOURS)
        return address->valid_until;
    return now + TWO_HOURS;
}

static void take_address(struct host *host, const struct advert_prefix *prefix, uint64_t now)
{
    struct in6_addr own = prefix->prefix;
    struct host_address *address;

    memcpy(own.s6_addr + 8, host->interface_id, 8);
    address = find_address(host, &own);
    if (!address) {
        if (prefix->valid == 0)
            return;
        if (host->address_count == ADDRESSES_MAX) {
            too_many(host, "prefixes");
            return;
        }
        address = &host->addresses[host->address_count++];
        *address = (struct host_address){.address = own, .length = 64};
    }
    address->valid_until = valid_until(address, now, prefix->valid);
    address->preferred_until = until(now, prefix->preferred);
    if (address->preferred_until > address->valid_until)
        address->preferred_until = address->valid_until;
    /* A deprecated one is on its way out, and no router is asked to keep it. */
    address->ask_at = prefix->preferred ? ask_at(now, address->valid_until) : FOREVER;
}

static void remove_route(struct host *host, struct host_route *route)
{
    *route = host->routes[--host->route_count];
}

static void take_route(struct host *host, struct host_route wanted, uint32_t lifetime, uint64_t now)
{
    struct host_route *route = host->routes, *end = host->routes + host->route_count;

    while (route < end && !(same(&route->net, &wanted.net) && route->length == wanted.length &&
                            same(&route->gateway, &wanted.gateway)))
        route++;
    if (lifetime == 0) {
        if (route < end)
            remove_route(host, route);
        return;
    }
    if (route == host->routes + ROUTES_MAX) {
        too_many(host, "routes");
        return;
    }
    if (route == end)
        host->route_count++;
    wanted.until = until(now, lifetime);
    wanted.ask_at = ask_at(now, wanted.until);
    *route = wanted;
}

static void take_routes(struct host *host, const struct advert *advert, uint64_t now)
{
    for (unsigned i = 0; i < advert->prefix_count; i++) {
        const struct advert_prefix *prefix = &advert->prefixes[i];
        if (prefix->on_link)
            take_route(host, (struct host_route){.net = prefix->prefix, .length = prefix->length},
                       prefix->valid, now);
    }
    take_route(host,
               (struct host_route){.gateway = advert->router, .preference = advert->preference},
               advert->lifetime, now);
    /* A route to everything among these wins over the router's own word (RFC 4191, 3.1). */
    for (unsigned i = 0; i < advert->route_count; i++) {
        const struct advert_route *route = &advert->routes[i];
        take_route(host,
                   (struct host_route){.net = route->prefix,
                                       .length = route->length,
                                       .gateway = advert->router,
                                       .preference = route->preference},
                   route->lifetime, now);
    }
}

static void take_server(struct host *host, const struct advert_server *wanted, uint64_t now)
{
    unsigned i = 0;

    while (i < host->server_count && !same(&host->servers[i].address, &wanted->address))
        i++;
    if (i == host->server_count) {
        if (wanted->lifetime == 0 || i == SERVERS_MAX)
            return;
        host->servers[host->server_count++].address = wanted->address;
    }
    host->servers[i].until = until(now, wanted->lifetime);
}

static void take_name(struct host *host, const struct advert_name *wanted, uint64_t now)
{
    unsigned i = 0;

    while (i < host->name_count && strcmp(host->names[i].name, wanted->name) != 0)
        i++;
    if (i == host->name_count) {
        if (wanted->lifetime == 0 || i == NAMES_MAX)
            return;
        copy_text(host->names[host->name_count++].name, HOSTNAME_BYTES, wanted->name);
    }
    host->names[i].until = until(now, wanted->lifetime);
}

int host_take(struct host *host, const struct advert *advert, uint64_t now, struct err *err)
{
    if (!is_any(&host->only_router) && !same(&host->only_router, &advert->router))
        return err_set(err, ERR_NETWORK_ERROR,
                       "a router advertisement from %s is left out: slicenode.net names the "
                       "gateway %s",
                       text_of(&advert->router).text, text_of(&host->only_router).text);
    copy_text(host->odd, sizeof(host->odd), advert->odd);
    host->router = advert->router;
    /* What was said once stays so: DHCPv6 is not ended by an advertisement. */
    host->managed = host->managed || advert->managed;
    host->other = host->other || advert->other;
    if (advert->mtu)
        host->mtu = advert->mtu < MTU_USUAL ? advert->mtu : 0;
    for (unsigned i = 0; i < advert->prefix_count; i++)
        if (advert->prefixes[i].autonomous)
            take_address(host, &advert->prefixes[i], now);
    take_routes(host, advert, now);
    for (unsigned i = 0; i < advert->server_count; i++)
        take_server(host, &advert->servers[i], now);
    for (unsigned i = 0; i < advert->name_count; i++)
        take_name(host, &advert->names[i], now);
    host_expire(host, now);
    return 0;
}

static void take_leased_address(struct host *host, const struct dhcp6_answer *answer, uint64_t now)
{
    struct host_address *address = find_address(host, &answer->address);

    if (!address && host->address_count == ADDRESSES_MAX) {
        too_many(host, "addresses");
        return;
    }
    if (!address) {
        address = &host->addresses[host->address_count++];
        *address = (struct host_address){.address = answer->address, .length = 128};
    }
    address->leased = true;
    address->ask_at = FOREVER;
    address->valid_until = until(now, answer->valid);
    address->preferred_until = until(now, answer->preferred);
}

static bool is_given(const struct dhcp6_answer *answer, const struct host_address *address)
{
    return !address->leased || (answer && same(&answer->address, &address->address));
}

void host_take_lease(struct host *host, const struct dhcp6_answer *answer, uint64_t now)
{
    for (unsigned i = host->address_count; i-- > 0;)
        if (!is_given(answer, &host->addresses[i]))
            host->addresses[i] = host->addresses[--host->address_count];
    host->leased_server_count = answer ? answer->server_count : 0;
    host->leased_name_count = answer ? answer->name_count : 0;
    host->time_count = answer ? answer->time_count : 0;
    if (!answer)
        return;
    if (!is_any(&answer->address))
        take_leased_address(host, answer, now);
    memcpy(host->leased_servers, answer->servers, sizeof(host->leased_servers));
    memcpy(host->leased_names, answer->names, sizeof(host->leased_names));
    memcpy(host->times, answer->times, sizeof(host->times));
}

bool host_lease_is_taken(const struct host *host)
{
    for (unsigned i = 0; i < host->address_count; i++)
        if (host->addresses[i].leased && host->addresses[i].retry_at)
            return true;
    return false;
}

bool host_expire(struct host *host, uint64_t now)
{
    bool ended = false;

    for (unsigned i = host->address_count; i-- > 0;) {
        struct host_address *address = &host->addresses[i];
        if (address->retry_at && address->retry_at <= now) {
            address->retry_at = 0;
            ended = true;
        }
        if (address->valid_until <= now) {
            *address = host->addresses[--host->address_count];
            ended = true;
        }
    }
    for (unsigned i = host->route_count; i-- > 0;)
        if (host->routes[i].until <= now) {
            remove_route(host, &host->routes[i]);
            ended = true;
        }
    /* The order of these two is the routers' own. */
    for (unsigned i = host->server_count; i-- > 0;)
        if (host->servers[i].until <= now) {
            memmove(&host->servers[i], &host->servers[i + 1],
                    (--host->server_count - i) * sizeof(host->servers[0]));
            ended = true;
        }
    for (unsigned i = host->name_count; i-- > 0;)
        if (host->names[i].until <= now) {
            memmove(&host->names[i], &host->names[i + 1],
                    (--host->name_count - i) * sizeof(host->names[0]));
            ended = true;
        }
    return ended;
}

static void earlier(uint64_t *first, uint64_t time)
{
    if (time < *first)
        *first = time;
}

uint64_t host_next_end(const struct host *host)
{
    uint64_t first = FOREVER;

    for (unsigned i = 0; i < host->address_count; i++) {
        earlier(&first, host->addresses[i].valid_until);
        if (host->addresses[i].retry_at)
            earlier(&first, host->addresses[i].retry_at);
    }
    for (unsigned i = 0; i < host->route_count; i++)
        earlier(&first, host->routes[i].until);
    for (unsigned i = 0; i < host->server_count; i++)
        earlier(&first, host->servers[i].until);
    for (unsigned i = 0; i < host->name_count; i++)
        earlier(&first, host->names[i].until);
    return first;
}

uint64_t host_next_ask(const struct host *host)
{
    uint64_t first = FOREVER;

    for (unsigned i = 0; i < host->address_count; i++)
        earlier(&first, host->addresses[i].ask_at);
    for (unsigned i = 0; i < host->route_count; i++)
        earlier(&first, host->routes[i].ask_at);
    return first;
}

bool host_wants_to_ask(struct host *host, uint64_t now)
{
    bool wants = false;

    for (unsigned i = 0; i < host->address_count; i++)
        if (host->addresses[i].ask_at <= now) {
            host->addresses[i].ask_at = FOREVER;
            wants = true;
        }
    for (unsigned i = 0; i < host->route_count; i++)
        if (host->routes[i].ask_at <= now) {
            host->routes[i].ask_at = FOREVER;
            wants = true;
        }
    return wants;
}

void host_address_taken(struct host *host, const struct in6_addr *address, uint64_t now)
{
    struct host_address *found = find_address(host, address);

    if (!found)
        return;
    found->ready = false;
    found->retry_at = now + RETRY_TAKEN;
}

bool host_has_gateway(const struct host *host)
{
    for (unsigned i = 0; i < host->route_count; i++)
        if (host->routes[i].length == 0)
            return true;
    return false;
}

bool host_has_address(const struct host *host)
{
    for (unsigned i = 0; i < host->address_count; i++)
        if (host->addresses[i].ready)
            return true;
    return false;
}
