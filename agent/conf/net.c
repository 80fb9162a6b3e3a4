/* slicenode.net: `dhcp`, `auto6`, ADDRESS/PREFIX or two of these, one for each kind of IP, with +
 * between them, then gateway=A+B, dns=A+B, vlan=N, nic=NAME|MAC, bond=NIC+NIC, mode=MODE, separated
 * by commas. Upper-case MACs come out in lower case. */
#include "base/check.h"
#include "base/err.h"
#include "base/memory.h"
#include "base/text.h"
#include "conf/conf.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What switches take in a bundle. More are refused, and told. */
#define BOND_NICS_MAX 8
/* musl's resolver asks three. More are refused, and told. */
#define DNS_MAX 4
#define VLAN_MAX 4094
/* IFNAMSIZ less its end. */
#define NIC_NAME_LIMIT 15
#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

enum { IPV4, IPV6, FAMILIES };

struct net {
    bool dhcp, auto6;
    struct address addresses[FAMILIES]; /* family 0: none given */
    const char *nic, *bond, *mode, *gateway, *dns, *vlan;
};

static int refuse_network(struct err *err, const char *value, const char *what)
{
    return err_set(err, ERR_CONF_INVALID, "%s %s", quoted(value).text, what);
}

static int check_nic(const char *nic, struct err *err)
{
    size_t length = strlen(nic);

    if (strchr(nic, ':'))
        return mac_valid(nic) ? 0 : refuse_network(err, nic, "is no MAC address of a network card");
    if (length == 0 || length > NIC_NAME_LIMIT || !strchr(ALNUM, nic[0]) ||
        nic[strspn(nic, ALNUM "_.-")] != '\0')
        return refuse_network(err, nic, "is no name of a network card");
    return 0;
}

static int check_bond(const char *value, struct err *err)
{
    CLEANUP_FREE char *copy = xstrdup(value);
    const char *seen[BOND_NICS_MAX];
    char *rest = copy, *nic;
    unsigned count = 0;

    while ((nic = strsep(&rest, "+"))) {
        if (check_nic(nic, err) < 0)
            return -1;
        if (count == BOND_NICS_MAX)
            return err_set(err, ERR_CONF_INVALID, "bond has more than %d network cards",
                           BOND_NICS_MAX);
        for (unsigned i = 0; i < count; i++)
            if (strcmp(seen[i], nic) == 0)
                return refuse_network(err, nic, "is twice in the bond");
        seen[count++] = nic;
    }
    return count >= 2
               ? 0
               : refuse_network(err, value, "is no bond: two network cards at least, NIC+NIC");
}

static int check_mode(const char *mode, struct err *err)
{
    static const char *const modes[] = {"active-backup", "802.3ad",     "balance-rr", "balance-xor",
                                        "broadcast",     "balance-tlb", "balance-alb"};

    for (size_t i = 0; i < ARRAY_LENGTH(modes); i++)
        if (strcmp(modes[i], mode) == 0)
            return 0;
    return refuse_network(err, mode,
                          "is no bonding mode: active-backup, 802.3ad, balance-rr, balance-xor, "
                          "broadcast, balance-tlb or balance-alb");
}

static int check_vlan(const char *vlan, struct err *err)
{
    size_t digits = strspn(vlan, "0123456789");
    unsigned long number = strtoul(vlan, NULL, 10);

    if (digits == 0 || digits > 4 || vlan[digits] || vlan[0] == '0' || number > VLAN_MAX)
        return refuse_network(err, vlan, "is no VLAN: 1 to 4094");
    return 0;
}

static int check_dns(const char *value, struct err *err)
{
    CLEANUP_FREE char *copy = xstrdup(value);
    char *rest = copy, *server;
    struct address address;
    unsigned count = 0;

    while ((server = strsep(&rest, "+"))) {
        if (!address_parse(server, &address))
            return refuse_network(err, server, "is no address of a DNS server");
        if (++count > DNS_MAX)
            return err_set(err, ERR_CONF_INVALID, "more than %d DNS servers", DNS_MAX);
    }
    return 0;
}

static unsigned family_of(const struct address *address)
{
    return address->family == AF_INET6 ? IPV6 : IPV4;
}

/* A gateway elsewhere than in the address's network is what hosters have with networks of one or
 * two addresses, and with IPv6 also with larger ones. Otherwise, with IPv4, it is a slip of
 * the pen. */
static bool gateway_may_be(const struct address *address, const struct address *gateway)
{
    return address->family == AF_INET6 || address->prefix >= 31 ||
           address_same_network(address, gateway);
}

/* With auto6 the gateway is the one router that is listened to. */
static int check_router(const struct address *router, const char *text, bool taken[FAMILIES],
                        struct err *err)
{
    if (taken[IPV6])
        return refuse_network(err, text, "is a second gateway of the same kind");
    taken[IPV6] = true;
    if (router->bytes[0] != 0xfe || (router->bytes[1] & 0xc0) != 0x80)
        return refuse_network(err, text,
                              "is no link-local address (fe80::...), by which a router advertises "
                              "itself: auto6 needs one, or none");
    return 0;
}

static int check_gateway(const struct net *net, const char *text, bool taken[FAMILIES],
                         struct err *err)
{
    const struct address *address;
    struct address gateway;

    if (!address_parse(text, &gateway) || !address_of_host(&gateway))
        return refuse_network(err, text, "is no address of a gateway");
    address = &net->addresses[family_of(&gateway)];
    if (net->auto6 && gateway.family == AF_INET6)
        return check_router(&gateway, text, taken, err);
    if (!address->family && net->dhcp && gateway.family == AF_INET)
        return err_set(err, ERR_CONF_INVALID, "gateway needs an address; DHCP brings its own");
    if (!address->family)
        return refuse_network(err, text, "as gateway needs an address of the same kind");
    if (taken[family_of(&gateway)])
        return refuse_network(err, text, "is a second gateway of the same kind");
    taken[family_of(&gateway)] = true;
    if (!gateway_may_be(address, &gateway))
        return refuse_network(
            err, text,
            "as gateway is not in the address's network; where that is meant, the "
            "address is given as ADDRESS/32");
    if (memcmp(gateway.bytes, address->bytes, sizeof(gateway.bytes)) == 0)
        return refuse_network(err, text, "is both the address and the gateway");
    return 0;
}

static int check_gateways(const struct net *net, struct err *err)
{
    CLEANUP_FREE char *copy = xstrdup(net->gateway);
    char *rest = copy, *gateway;
    bool taken[FAMILIES] = {false};

    while ((gateway = strsep(&rest, "+")))
        if (check_gateway(net, gateway, taken, err) < 0)
            return -1;
    return 0;
}

/* One word of the first part: dhcp, auto6 or an address. */
static int take_address(struct net *net, const char *word, struct err *err)
{
    struct address address;

    if (strcmp(word, "dhcp") == 0) {
        if (net->dhcp || net->auto6 || net->addresses[IPV4].family || net->addresses[IPV6].family)
            return refuse_network(err, word, "can only come first and once");
        net->dhcp = true;
        return 0;
    }
    if (strcmp(word, "auto6") == 0) {
        if (net->auto6 || net->addresses[IPV6].family)
            return refuse_network(err, word, "is a second IP address of the same kind");
        net->auto6 = true;
        return 0;
    }
    if (!address_prefix_parse(word, &address))
        return refuse_network(err, word,
                              "must be dhcp, auto6 or ADDRESS/PREFIX, such as 192.0.2.10/24");
    if (!address_of_host(&address))
        return refuse_network(err, word, "is no address that a host can have");
    if (net->addresses[family_of(&address)].family || (net->dhcp && address.family == AF_INET) ||
        (net->auto6 && address.family == AF_INET6))
        return refuse_network(err, word, "is a second IP address of the same kind");
    net->addresses[family_of(&address)] = address;
    return 0;
}

static int take_setting(struct net *net, char *setting, struct err *err)
{
    const struct {
        const char *key;
        const char **value;
    } settings[] = {
        {"gateway", &net->gateway}, {"dns", &net->dns},   {"vlan", &net->vlan},
        {"nic", &net->nic},         {"bond", &net->bond}, {"mode", &net->mode},
    };
    char *value = strchr(setting, '=');

    if (!value)
        return refuse_network(err, setting, "is not of the form key=value");
    *value++ = '\0';
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++) {
        if (strcmp(settings[i].key, setting) != 0)
            continue;
        if (*settings[i].value)
            return refuse_network(err, setting, "is given twice");
        *settings[i].value = value;
        return 0;
    }
    return refuse_network(err, setting,
                          "is not known; there are gateway, dns, vlan, nic, bond, mode");
}

static int check_settings(const struct net *net, struct err *err)
{
    if (net->nic && net->bond)
        return err_set(err, ERR_CONF_INVALID, "nic and bond exclude each other");
    if (net->mode && !net->bond)
        return err_set(err, ERR_CONF_INVALID, "mode needs bond");
    if ((net->nic && check_nic(net->nic, err) < 0) ||
        (net->bond && check_bond(net->bond, err) < 0) ||
        (net->mode && check_mode(net->mode, err) < 0) ||
        (net->vlan && check_vlan(net->vlan, err) < 0) ||
        (net->dns && check_dns(net->dns, err) < 0) ||
        (net->gateway && check_gateways(net, err) < 0))
        return -1;
    return 0;
}

/* Addresses, MACs and the words of the grammar do not care about case, names of NICs do. */
static void lower_macs(char *value)
{
    for (; *value; value++) {
        size_t run = strspn(value, "0123456789abcdefABCDEF:");
        if (run == MAC_TEXT_BYTES - 1 && value[2] == ':' && value[5] == ':')
            for (size_t i = 0; i < run; i++)
                value[i] = (char)tolower((unsigned char)value[i]);
        if (run > 1)
            value += run - 1;
    }
}

int conf_check_net(char *value, struct err *err)
{
    CLEANUP_FREE char *copy = NULL;
    struct net net = {.dhcp = false};
    char *rest, *first, *word, *setting;

    lower_macs(value);
    copy = xstrdup(value);
    rest = copy;
    first = strsep(&rest, ",");
    while ((word = strsep(&first, "+")))
        if (take_address(&net, word, err) < 0)
            return -1;
    while ((setting = strsep(&rest, ",")))
        if (take_setting(&net, setting, err) < 0)
            return -1;
    return check_settings(&net, err);
}
