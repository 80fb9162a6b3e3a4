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

static bool is_any(const struct in6_addr *address)
{
    return memcmp(address, &in6addr_any, sizeof(*address)) == 0;
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
    for (unsigned i = 0; i < host->server_count; i++) {
        const struct in6_addr *server = &host->servers[i].address;
        line(text, "dns %s%s%s", text_of(server).text, is_link_local(server) ? "%" : "",
             is_link_local(server) ? bridge : "");
    }
    for (unsigned i = 0; i < host->name_count; i++)
        line(text, "search %s", host->names[i].name);
}

static void tell_what_is_missing(struct text *text, const struct host *host, bool silent,
                                 const char *uplink)
{
    const char *router = text_of(&host->router).text;

    if (is_any(&host->router)) {
        if (silent && is_any(&host->only_router))
            line(text,
                 "missing no IPv6 router has advertised itself on %s; still asking (or give "
                 "slicenode.net=ADDRESS/PREFIX,gateway=...)",
                 uplink);
        else if (silent)
            line(text, "missing the IPv6 router %s has not advertised itself on %s; still asking",
                 text_of(&host->only_router).text, uplink);
        return;
    }
    if (host->address_count == 0 && silent)
        line(text,
             "missing the IPv6 router %s has not advertised itself on %s any more, and what "
             "it said is over; still asking",
             router, uplink);
    else if (host->address_count == 0)
        line(text,
             "missing the IPv6 router %s advertises no prefix that an address can be made "
             "of (autonomous, 64 bits)",
             router);
    else if (!host_has_gateway(host))
        line(text,
             "warning no IPv6 router says that it is a gateway (%s advertised itself last): "
             "only what is on the same network can be reached",
             router);
}

char *host_tell(const struct host *host, bool silent, const char *bridge, const char *uplink)
{
    struct text text = {.all = xstrdup("")};

    tell_what_is_there(&text, host, bridge);
    tell_what_is_missing(&text, host, silent, uplink);
    for (unsigned i = 0; i < host->address_count; i++)
        if (host->addresses[i].retry_at)
            line(&text,
                 "warning another host has the address %s, which this node makes of its "
                 "MAC address; it is tried again in five minutes",
                 text_of(&host->addresses[i].address).text);
    if (host->odd[0])
        line(&text, "note the IPv6 router %s advertises %s; that is left out",
             text_of(&host->router).text, host->odd);
    line(&text, "end");
    return text.all;
}
