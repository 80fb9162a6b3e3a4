/* backend/net and its netlink calls, for real, in the network namespace that it is started in (net-try
 * makes one). Changes links: never run it in the host's own namespace. */
#include "backend/backend.h"
#include "backend/net/bridge.h"
#include "backend/net/netlink.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/nic.h"
#include "try.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define UPLINK_FILE "/tmp/backend-net-try-uplink"

static struct err err;

static void try_names(void)
{
    static const struct {
        const char *bridge;
        int vlan;
        const char *expected; /* NULL: refused */
    } cases[] = {{"", 0, "xenbr0"},    {"xenbr0", 0, "xenbr0"}, {"storage", 0, "storage"},
                 {"", 7, "xenbr7"},    {"xenbr0", 7, "xenbr7"}, {"xenbr7", 7, "xenbr7"},
                 {"storage", 7, NULL}, {"", 4094, "xenbr4094"}, {"", 4095, NULL},
                 {"", -1, NULL},       {"xenbr0", 1, "xenbr1"}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct nic nic = {.vlan = cases[i].vlan};
        char name[NIC_NAME_BYTES];

        copy_text(nic.bridge, sizeof(nic.bridge), cases[i].bridge);
        int result = be_net_bridge_name(&nic, name, &err);
        if (!cases[i].expected)
            try_check(result < 0, &err, "bridge \"%s\" VLAN %d is refused", cases[i].bridge,
                      cases[i].vlan);
        else
            try_check(result == 0 && strcmp(name, cases[i].expected) == 0, &err,
                      "bridge \"%s\" VLAN %d gives %s", cases[i].bridge, cases[i].vlan,
                      cases[i].expected);
    }
}

static int ask(struct network *network, const char *bridge, int vlan, char *name)
{
    struct nic nic = {.vlan = vlan};

    copy_text(nic.bridge, sizeof(nic.bridge), bridge);
    return network->bridge(network->state, &nic, name, &err);
}

static void write_uplink(const char *text)
{
    try_check(write_file(UPLINK_FILE, text, strlen(text), 0600, &err) == 0, &err,
              "write " UPLINK_FILE);
}

/* Whether sysfs has the entry; `port` below `bridge`. */
static bool is_port(const char *bridge, const char *port)
{
    char path[128];

    snprintf(path, sizeof(path), "/sys/class/net/%s/brif/%s", bridge, port);
    return access(path, F_OK) == 0;
}

static bool setting_is(const char *link, const char *entry, const char *value)
{
    char path[128];
    CLEANUP_FREE char *text = NULL;
    size_t length;

    snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", link, entry);
    return read_file(path, 64, &text, &length, NULL) == 0 && text[0] == value[0];
}

static void try_refusals(struct network *network)
{
    char name[NIC_NAME_BYTES];

    try_refused(ask(network, "", 0, name), &err, ERR_NETWORK_ERROR, "no bridge xenbr0");
    try_refused(ask(network, "absent", 0, name), &err, ERR_NETWORK_ERROR, "no bridge absent");
    try_refused(ask(network, "lo", 0, name), &err, ERR_NETWORK_ERROR, "lo is not a bridge");
    try_refused(ask(network, "", 7, name), &err, ERR_NETWORK_ERROR, "uplink is not known");
    write_uplink("up0/../x\n");
    try_refused(ask(network, "", 7, name), &err, ERR_NETWORK_ERROR, "does not hold an interface");
    write_uplink("\n");
    try_refused(ask(network, "", 7, name), &err, ERR_NETWORK_ERROR, "does not hold an interface");
    write_uplink("gone0\n");
    try_refused(ask(network, "", 7, name), &err, ERR_NETWORK_ERROR, "uplink gone0 is gone");
}

/* The kernel of a machine that builds this may lack VLANs; dom0's has them. */
static bool have_vlans(int socket)
{
    bool have = link_create_bridge(socket, "probe0", NULL) == 0 &&
                link_create_vlan(socket, "probe0.1", "probe0", 1, NULL) == 0;

    link_delete(socket, "probe0", NULL);
    return have;
}

static void try_vlan(struct network *network, int socket)
{
    char name[NIC_NAME_BYTES];

    write_uplink("up0\n");
    try_check(link_create_bridge(socket, "up0", &err) == 0, &err, "make the uplink");
    try_check(link_set_up(socket, "up0", &err) == 0, &err, "bring the uplink up");
    for (int round = 0; round < 2; round++)
        try_check(ask(network, "", 7, name) == 0 && strcmp(name, "xenbr7") == 0, &err,
                  "VLAN 7, round %d", round);
    try_check(link_is_vlan("up0.7", "up0", 7) && is_port("xenbr7", "up0.7"), NULL,
              "up0.7 is VLAN 7 of up0 and on xenbr7");
    try_check(setting_is("xenbr7", "disable_ipv6", "1") && setting_is("up0.7", "accept_ra", "0"),
              NULL, "no IPv6 of dom0 on the VLAN");
    /* What a crash may leave: the port off its bridge. */
    try_check(link_set_bridge(socket, "up0.7", NULL, &err) == 0 && !is_port("xenbr7", "up0.7"),
              &err, "take the port off");
    try_check(ask(network, "xenbr0", 7, name) == 0 && is_port("xenbr7", "up0.7"), &err,
              "the port is put back");
    /* Names that belong to something else. */
    try_check(link_create_bridge(socket, "up0.8", &err) == 0, &err, "make a wrong up0.8");
    try_refused(ask(network, "", 8, name), &err, ERR_NETWORK_ERROR, "up0.8 is not VLAN 8");
    try_check(link_create_vlan(socket, "xenbr9", "up0", 99, &err) == 0, &err,
              "make a wrong xenbr9");
    try_refused(ask(network, "", 9, name), &err, ERR_NETWORK_ERROR, "xenbr9 is not a bridge");
    /* The longest uplink name: the VLAN's is cut to fit. */
    try_check(link_create_bridge(socket, "longuplinkname0", &err) == 0 &&
                  link_set_up(socket, "longuplinkname0", &err) == 0,
              &err, "long uplink");
    write_uplink("longuplinkname0");
    try_check(ask(network, "", 4094, name) == 0 && is_port("xenbr4094", "longuplink.4094"), &err,
              "VLAN of an uplink with a long name");
}

/* A bridge takes so many slices, and the next one is told why. */
static void try_full(int socket)
{
    char name[NIC_NAME_BYTES];
    int put = 0;

    try_check(link_create_bridge(socket, "full0", &err) == 0, &err, "make a bridge to fill");
    for (;;) {
        snprintf(name, sizeof(name), "f%d", put);
        if (link_create_vlan(socket, name, "up0", 1000 + put, &err) < 0 ||
            link_set_bridge(socket, name, "full0", &err) < 0)
            break;
        put++;
    }
    try_check(put == 1023, NULL, "%d interfaces are on it", put);
    try_refused(link_set_bridge(socket, name, "full0", &err), &err, ERR_NETWORK_ERROR,
                "bridge full0 is full");
    try_check(link_delete(socket, "up0", &err) == 0 && link_delete(socket, "full0", &err) == 0,
              &err, "remove all of them");
}

static void try_links(struct network *network, int socket)
{
    char name[NIC_NAME_BYTES];

    try_check(link_create_bridge(socket, "xenbr0", &err) == 0, &err, "make xenbr0");
    try_check(link_create_bridge(socket, "xenbr0", &err) == 0, &err, "make xenbr0 again");
    try_check(ask(network, "", 0, name) == 0 && strcmp(name, "xenbr0") == 0, &err,
              "xenbr0 is there now");
    try_check(link_set_mtu(socket, "xenbr0", 9000, &err) == 0 && link_mtu("xenbr0") == 9000, &err,
              "MTU 9000");
    try_refused(link_set_up(socket, "absent", &err), &err, ERR_NETWORK_ERROR,
                "no network interface absent");
    try_refused(link_set_bridge(socket, "xenbr0", "lo", &err), &err, ERR_NETWORK_ERROR,
                "put xenbr0 on bridge lo");
    try_check(link_delete(socket, "xenbr0", &err) == 0 && link_index("xenbr0") == 0, &err,
              "remove xenbr0");
    try_check(link_delete(socket, "xenbr0", &err) == 0, &err, "remove it again");
}

/* usage: net-try [vlans]   with `vlans` a kernel without them is a failure. */
int main(int argc, char **argv)
{
    struct network network;
    bool must = argc > 1 && strcmp(argv[1], "vlans") == 0;

    unlink(UPLINK_FILE);
    try_names();
    CLEANUP_CLOSE int socket = link_open(&err);
    if (!try_check(socket >= 0, &err, "open netlink") ||
        !try_check(be_net_open_uplink(&network, UPLINK_FILE, &err) == 0, &err, "be_net_open"))
        return try_end("net-try");
    try_refusals(&network);
    uint64_t started = monotonic_ms();
    if (must || have_vlans(socket)) {
        try_vlan(&network, socket);
        try_time("VLAN bridges", started);
        started = monotonic_ms();
        try_full(socket);
        try_time("a full bridge", started);
    } else {
        puts("skipped: VLANs, which this kernel does not have");
    }
    try_links(&network, socket);
    network.close(network.state);
    unlink(UPLINK_FILE);
    return try_end("net-try");
}
