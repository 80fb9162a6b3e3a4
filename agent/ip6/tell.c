#include "ip6/tell.h"

#include "base/memory.h"
#include "ip6/names.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
    char *all; /* owned */
};

static void line(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void line(struct text *text, const char *format, ...)
{
    CLEANUP_FREE char *before = text->all;
    char one[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(one, sizeof(one), format, arguments);
    va_end(arguments);
    text->all = xasprintf("%s%s\n", before, one);
}

static void tell_server(struct text *text, const struct in6_addr *server, const char *bridge)
{
    line(text, "dns %s%s%s", text_of(server).text, is_link_local(server) ? "%" : "",
         is_link_local(server) ? bridge : "");
}

static bool is_leased_server(const struct host *host, const struct in6_addr *server)
{
    for (unsigned i = 0; i < host->leased_server_count; i++)
        if (memcmp(&host->leased_servers[i], server, sizeof(*server)) == 0)
            return true;
    return false;
}

static bool is_leased_name(const struct host *host, const char *name)
{
    for (unsigned i = 0; i < host->leased_name_count; i++)
        if (strcmp(host->leased_names[i], name) == 0)
            return true;
    return false;
}

static void tell_names(struct text *text, const struct host *host, const char *bridge)
{
    for (unsigned i = 0; i < host->leased_server_count; i++)
        tell_server(text, &host->leased_servers[i], bridge);
    for (unsigned i = 0; i < host->server_count; i++)
        if (!is_leased_server(host, &host->servers[i].address))
            tell_server(text, &host->servers[i].address, bridge);
    for (unsigned i = 0; i < host->leased_name_count; i++)
        line(text, "search %s", host->leased_names[i]);
    for (unsigned i = 0; i < host->name_count; i++)
        if (!is_leased_name(host, host->names[i].name))
            line(text, "search %s", host->names[i].name);
    for (unsigned i = 0; i < host->time_count; i++)
        line(text, "ntp %s", host->times[i]);
}

static void tell_what_is_there(struct text *text, const struct host *host, const char *bridge)
{
    for (unsigned i = 0; i < host->address_count; i++)
        if (host->addresses[i].ready)
            line(text, "address %s/%u", text_of(&host->addresses[i].address).text,
                 host->addresses[i].length);
    for (unsigned i = 0; i < host->route_count; i++)
        if (host->routes[i].length == 0)
            line(text, "router %s", text_of(&host->routes[i].gateway).text);
    tell_names(text, host, bridge);
}

static void tell_who_is_missing(struct text *text, const struct host *host, const char *uplink)
{
    if (is_any(&host->only_router))
        line(text,
             "missing no IPv6 router has advertised itself on %s; still asking (or give "
             "slicenode.net=ADDRESS/PREFIX,gateway=...)",
             uplink);
    else
        line(text, "missing the IPv6 router %s has not advertised itself on %s; still asking",
             text_of(&host->only_router).text, uplink);
}

static void tell_what_is_missing(struct text *text, const struct host *host, bool silent,
                                 const char *uplink)
{
    struct address_text router = text_of(&host->router);

    if (host->address_count > 0 && host_has_gateway(host))
        return;
    if (host->address_count > 0)
        line(text,
             "warning no IPv6 router says that it is a gateway (%s advertised itself last): "
             "only what is on the same network can be reached",
             router.text);
    else if (silent)
        line(text,
             "missing the IPv6 router %s has not advertised itself on %s any more, and what "
             "it said is over; still asking",
             router.text, uplink);
    else if (host->managed && host->trouble[0])
        line(text,
             "missing the IPv6 router %s says that DHCPv6 gives addresses, but %s; still asking",
             router.text, host->trouble);
    else if (!host->managed)
        line(text,
             "missing the IPv6 router %s advertises no prefix that an address can be made of "
             "(autonomous, 64 bits), and no DHCPv6 (managed)",
             router.text);
}

static void tell_what_is_odd(struct text *text, const struct host *host)
{
    struct address_text router = text_of(&host->router);

    for (unsigned i = 0; i < host->address_count; i++)
        if (host->addresses[i].retry_at && !host->addresses[i].leased)
            line(text,
                 "warning another host has the address %s, which this node makes of its MAC "
                 "address; it is tried again in five minutes",
                 text_of(&host->addresses[i].address).text);
    if (host->odd[0])
        line(text, "note the IPv6 router %s advertises %s; that is left out", router.text,
             host->odd);
    if (host->trouble[0] && host->address_count > 0)
        line(text, "note the IPv6 router %s says that there is DHCPv6, but %s", router.text,
             host->trouble);
}

char *host_tell(const struct host *host, bool silent, const char *bridge, const char *uplink)
{
    struct text text = {.all = xstrdup("")};

    tell_what_is_there(&text, host, bridge);
    if (!is_any(&host->router))
        tell_what_is_missing(&text, host, silent, uplink);
    else if (silent)
        tell_who_is_missing(&text, host, uplink);
    tell_what_is_odd(&text, host);
    line(&text, "end");
    return text.all;
}
