/* What a DHCP server may say, and what becomes of it. */
#include "base/memory.h"
#include "conf/lease.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const *given; /* name, value, name, value, NULL */

static const char *option(const char *name)
{
    for (const char *const *word = given; *word; word += 2)
        if (strcmp(word[0], name) == 0)
            return word[1];
    return NULL;
}

struct lease_case {
    const char *options[16];
    const char *lines; /* what has to come out, or what the error has to hold after '!' */
};

#define NO_GATEWAY                                                                                 \
    "warning the DHCP server names no gateway: only what is on the same network can be reached\n"
#define NO_DEFAULT                                                                                 \
    "note the DHCP server's list of routes (option 121) has no default route, and where there "    \
    "is such a list its router does not count\n"
#define ADDRESS "ip", "192.0.2.10", "mask", "24"
#define ONE "ip", "192.0.2.10", "mask", "32"

TEST(lease_lines)
{
    static const struct lease_case cases[] = {
        {{ADDRESS, "router", "192.0.2.1"}, "address 192.0.2.10/24\nroute 0.0.0.0/0 192.0.2.1\n"},
        {{ADDRESS}, "address 192.0.2.10/24\n" NO_GATEWAY},
        /* the first of several; one outside of the subnet is reached by a route of its own */
        {{ADDRESS, "router", "192.0.2.1 192.0.2.2"},
         "address 192.0.2.10/24\nroute 0.0.0.0/0 192.0.2.1\n"},
        {{ADDRESS, "router", "198.51.100.1"},
         "address 192.0.2.10/24\nroute 198.51.100.1/32\nroute 0.0.0.0/0 198.51.100.1\n"},
        {{ONE, "router", "198.51.100.1"},
         "address 192.0.2.10/32\nroute 198.51.100.1/32\nroute 0.0.0.0/0 198.51.100.1\n"},
        {{"ip", "192.0.2.10", "mask", "31", "router", "192.0.2.11"},
         "address 192.0.2.10/31\nroute 0.0.0.0/0 192.0.2.11\n"},
        {{"ip", "192.0.2.10", "mask", "31", "router", "10.0.0.1"},
         "address 192.0.2.10/31\nroute 10.0.0.1/32\nroute 0.0.0.0/0 10.0.0.1\n"},
        /* option 121: without a router, with one that does not count, in either order */
        {{ADDRESS, "staticroutes", "0.0.0.0/0 192.0.2.1 10.0.0.0/8 192.0.2.2"},
         "address 192.0.2.10/24\nroute 0.0.0.0/0 192.0.2.1\nroute 10.0.0.0/8 192.0.2.2\n"},
        {{ADDRESS, "router", "192.0.2.9", "staticroutes", "10.0.0.0/8 192.0.2.2"},
         "address 192.0.2.10/24\nroute 10.0.0.0/8 192.0.2.2\n" NO_DEFAULT},
        {{ONE, "staticroutes", "0.0.0.0/0 172.31.1.1 172.31.1.1/32 0.0.0.0"},
         "address 192.0.2.10/32\nroute 172.31.1.1/32\nroute 0.0.0.0/0 172.31.1.1\n"},
        {{ONE, "staticroutes", "172.31.0.0/16 0.0.0.0 0.0.0.0/0 172.31.1.1"},
         "address 192.0.2.10/32\nroute 172.31.0.0/16\nroute 0.0.0.0/0 172.31.1.1\n"},
        {{ADDRESS, "staticroutes", "0.0.0.0/0 0.0.0.0"},
         "address 192.0.2.10/24\nroute 0.0.0.0/0\n"},
        {{ADDRESS, "msstaticroutes", "0.0.0.0/0 192.0.2.1"},
         "address 192.0.2.10/24\nroute 0.0.0.0/0 192.0.2.1\n"},
        {{ADDRESS, "staticroutes", "0.0.0.0/0 192.0.2.1", "msstaticroutes", "0.0.0.0/0 192.0.2.3"},
         "address 192.0.2.10/24\nroute 0.0.0.0/0 192.0.2.1\n"},
        /* host bits behind the prefix, which Linux refuses */
        {{ADDRESS, "staticroutes", "10.1.2.3/8 192.0.2.1"},
         "address 192.0.2.10/24\nroute 10.0.0.0/8 192.0.2.1\n" NO_DEFAULT},
        {{ADDRESS, "router", "192.0.2.1", "staticroutes", ""},
         "address 192.0.2.10/24\nwarning the DHCP server's list of routes (option 121) holds none; "
         "its router is used\nroute 0.0.0.0/0 192.0.2.1\n"},
        {{ADDRESS, "staticroutes", "10.0.0.0/8 192.0.2.1 10.0.0.0/33 192.0.2.1"},
         "address 192.0.2.10/24\nroute 10.0.0.0/8 192.0.2.1\nwarning the DHCP server's route "
         "\"10.0.0.0/33\" by \"192.0.2.1\" is malformed; left out\n" NO_DEFAULT},
        {{ADDRESS, "staticroutes", "10.0.0.0/8 192.0.2.1 10.0.0.0/8"},
         "address 192.0.2.10/24\nroute 10.0.0.0/8 192.0.2.1\nwarning the DHCP server's route "
         "\"10.0.0.0/8\" by \"\" is malformed; left out\n" NO_DEFAULT},
        {{ADDRESS, "staticroutes", "127.0.0.0/8 192.0.2.1 10.0.0.0/8 192.0.2.1"},
         "address 192.0.2.10/24\nwarning the DHCP server's route \"127.0.0.0/8\" by \"192.0.2.1\" "
         "is malformed; left out\nroute 10.0.0.0/8 192.0.2.1\n" NO_DEFAULT},
        /* itself, or nobody, as the gateway */
        {{ADDRESS, "router", "192.0.2.10 192.0.2.1"},
         "address 192.0.2.10/24\nwarning the DHCP server names the gateway \"192.0.2.10\", which "
         "cannot be one\nroute 0.0.0.0/0 192.0.2.1\n"},
        {{ADDRESS, "router", "0.0.0.0"},
         "address 192.0.2.10/24\nwarning the DHCP server names the gateway \"0.0.0.0\", which "
         "cannot be one\n" NO_GATEWAY},
        {{ADDRESS, "router", "$(reboot) 192.0.2.1"},
         "address 192.0.2.10/24\nwarning the DHCP server names the gateway \"$(reboot)\", which "
         "cannot be one\nroute 0.0.0.0/0 192.0.2.1\n"},
        {{ADDRESS, "router", "192.0.2.1", "dns", "192.0.2.3 0.0.0.0 192.0.2.4", "ntpsrv",
          "192.0.2.5"},
         "address 192.0.2.10/24\nroute 0.0.0.0/0 192.0.2.1\ndns 192.0.2.3\nwarning the DHCP server "
         "names \"0.0.0.0\" as dns server, which is no address\ndns 192.0.2.4\nntp 192.0.2.5\n"},
        {{ADDRESS, "router", "192.0.2.1", "dns",
          "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5"},
         "address 192.0.2.10/24\nroute 0.0.0.0/0 192.0.2.1\ndns 192.0.2.1\ndns 192.0.2.2\n"
         "dns 192.0.2.3\ndns 192.0.2.4\n"},
        {{ADDRESS, "router", "192.0.2.1", "domain", "example.net.", "search", "a.example bad_name"},
         "address 192.0.2.10/24\nroute 0.0.0.0/0 192.0.2.1\nsearch a.example\n"},
        {{ADDRESS, "router", "192.0.2.1", "domain", "example.net."},
         "address 192.0.2.10/24\nroute 0.0.0.0/0 192.0.2.1\nsearch example.net\n"},
        {{ADDRESS, "router", "192.0.2.1", "mtu", "1400"},
         "address 192.0.2.10/24\nroute 0.0.0.0/0 192.0.2.1\nmtu 1400\n"},
        {{ADDRESS, "router", "192.0.2.1", "mtu", "9000"},
         "address 192.0.2.10/24\nroute 0.0.0.0/0 192.0.2.1\n"},
        {{ADDRESS, "router", "192.0.2.1", "mtu", "68"},
         "address 192.0.2.10/24\nroute 0.0.0.0/0 192.0.2.1\nnote the DHCP server asks for an "
         "MTU "
         "of \"68\"; below 576 it is left out\n"},
        {{"ip", "172.16.0.5", "router", "172.16.0.1"},
         "note the DHCP server names no netmask; /16 is taken for 172.16.0.5\n"
         "address 172.16.0.5/16\nroute 0.0.0.0/0 172.16.0.1\n"},
        {{"ip", "0.0.0.0", "mask", "24"}, "!which no host can have"},
        {{"ip", "192.0.2.255", "mask", "24"}, "!which no host can have"},
        {{"ip", "192.0.2.10", "mask", "0"}, "!with the netmask \"0\", which is none"},
        {{"ip", "192.0.2.10", "mask", "33"}, "!with the netmask \"33\""},
        {{"mask", "24"}, "!\"\", which is no address"},
        {{"ip", "fe80::1", "mask", "24"}, "!\"fe80::1\", which is no address"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct err err = {.message = ""};
        given = cases[i].options;
        CLEANUP_FREE char *lines = lease_read(option, &err);
        if (cases[i].lines[0] == '!') {
            CHECK_TEXT(NULL, lines);
            CHECK_HOLDS(cases[i].lines + 1, err.message);
        } else {
            CHECK_TEXT(cases[i].lines, lines);
        }
    }
}

TEST(lease_with_more_routes_than_any_node_needs)
{
    static char list[64 << 10];
    static const char *options[] = {ADDRESS, "staticroutes", list, NULL};
    struct err err;

    for (unsigned i = 0; i < 1000; i++)
        sprintf(list + strlen(list), "10.%u.%u.0/24 198.51.%u.%u ", i / 250, i % 250, i / 250,
                i % 250 + 1);
    given = options;
    CLEANUP_FREE char *lines = lease_read(option, &err);
    CHECK_HOLDS("warning the DHCP server sends more than 32 routes", lines);
    CHECK(strlen(lines) < 8192);
}
