/* slicenode.net: `dhcp` or ADDRESS/PREFIX, then gateway=, dns=A+B, vlan=N, nic=NAME|MAC,
 * bond=NIC+NIC, mode=MODE, separated by commas. Upper-case MACs come out in lower case. */
#include "base/check.h"
#include "base/err.h"
#include "base/memory.h"
#include "base/text.h"
#include "conf/conf.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BOND_NICS_MAX 8
#define DNS_MAX 4
#define VLAN_MAX 4094
#define NIC_NAME_LIMIT 15
#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

struct net {
    struct address address; /* family 0: DHCP */
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

static int check_gateway(const struct net *net, struct err *err)
{
    struct address gateway;
    bool link_local, alone;

    if (!net->address.family)
        return err_set(err, ERR_CONF_INVALID, "gateway needs an address; DHCP brings its own");
    if (!address_parse(net->gateway, &gateway))
        return refuse_network(err, net->gateway, "is no address of a gateway");
    link_local = gateway.bytes[0] == 0xfe && (gateway.bytes[1] & 0xc0) == 0x80;
    /* An address that is a network of its own has its gateway outside, as hosters give them. */
    alone = net->address.prefix == (net->address.family == AF_INET6 ? 128u : 32u);
    if (gateway.family != net->address.family ||
        (!(gateway.family == AF_INET6 && link_local) && !alone &&
         !address_same_network(&net->address, &gateway)))
        return refuse_network(err, net->gateway, "as gateway is not in the address's network");
    if (memcmp(gateway.bytes, net->address.bytes, sizeof(gateway.bytes)) == 0)
        return refuse_network(err, net->gateway, "is both the address and the gateway");
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
        (net->dns && check_dns(net->dns, err) < 0) || (net->gateway && check_gateway(net, err) < 0))
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
    struct net net = {.address.family = 0};
    char *rest, *first, *setting;

    lower_macs(value);
    copy = xstrdup(value);
    rest = copy;
    first = strsep(&rest, ",");
    if (strcmp(first, "dhcp") != 0 && !address_prefix_parse(first, &net.address))
        return refuse_network(err, first, "must be dhcp or ADDRESS/PREFIX, such as 192.0.2.10/24");
    if (net.address.family && !address_of_host(&net.address))
        return refuse_network(err, first, "is no address that a host can have");
    while ((setting = strsep(&rest, ",")))
        if (take_setting(&net, setting, err) < 0)
            return -1;
    return check_settings(&net, err);
}
