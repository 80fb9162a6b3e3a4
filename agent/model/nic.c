/* A slice's network cards. */
#include "model/nic.h"

#include "base/check.h"
#include "base/err.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/slice.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define BRIDGE_DEFAULT "xenbr0"
#define VLAN_MAX 4094

/* The same card of the same slice always gets the same address. A locally administered prefix
 * leaves 40 bits for telling cards apart; under Xen's own 00:16:3e there are 24, and among a few
 * thousand slices two would meet. */
static void mac_derive(const char *slice_id, unsigned index, char mac[static MAC_TEXT_BYTES])
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */

    for (const char *character = slice_id; *character; character++)
        hash = (hash ^ (unsigned char)*character) * 0x100000001b3u;
    hash = (hash ^ (index + 1)) * 0x100000001b3u;
    hash ^= hash >> 40;
    snprintf(mac, MAC_TEXT_BYTES, "02:%02x:%02x:%02x:%02x:%02x", (unsigned)(hash >> 32 & 0xff),
             (unsigned)(hash >> 24 & 0xff), (unsigned)(hash >> 16 & 0xff),
             (unsigned)(hash >> 8 & 0xff), (unsigned)(hash & 0xff));
}

static int bridge_read(struct fields *fields, struct nic *nic)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

    if (field_text(fields, "bridge", OPTIONAL, nic->bridge, sizeof(nic->bridge)))
        return -1;
    if (nic->bridge[strspn(nic->bridge, allowed)] != '\0' || strchr("._-", nic->bridge[0]))
        return field_refuse(fields, "bridge", -1, nic->bridge, "is no name of a bridge");
    return 0;
}

/* Reads an array of addresses into `to`, an array of `limit` texts. */
static int addresses_read(struct fields *fields, const char *name, bool with_prefix, unsigned limit,
                          char (*to)[ADDRESS_TEXT_BYTES], unsigned *count)
{
    const json_t *array;
    struct address address;

    *count = 0;
    if (field_array(fields, name, OPTIONAL, limit, &array))
        return -1;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *text = json_string_value(json_array_get(array, i));
        if (!text ||
            !(with_prefix ? address_prefix_parse(text, &address) : address_parse(text, &address)))
            return field_refuse(fields, name, (int)i, text ? text : "",
                                with_prefix ? "must be ADDRESS/PREFIX, such as 192.0.2.10/24"
                                            : "must be an IPv4 or IPv6 address");
        if (with_prefix && !address_of_host(&address))
            return field_refuse(fields, name, (int)i, text, "is no address that a host can have");
        copy_text(to[(*count)++], ADDRESS_TEXT_BYTES, text);
    }
    if (with_prefix && array && *count == 0)
        return field_refuse(fields, name, -1, "[]", "must not be empty; leave it out for DHCP");
    return 0;
}

/* A gateway has to be in the network of one of the addresses. An address that is a network of its
 * own (/32, /128) may have its gateway anywhere on the link, and IPv6 has link-local gateways. */
static bool gateway_reachable(const struct nic *nic, const struct address *gateway)
{
    for (unsigned i = 0; i < nic->address_count; i++) {
        struct address address;
        address_prefix_parse(nic->addresses[i], &address);
        if (address.family != gateway->family)
            continue;
        if (address_same_network(&address, gateway) || address.prefix == gateway->prefix ||
            (gateway->family == AF_INET6 && gateway->bytes[0] == 0xfe &&
             (gateway->bytes[1] & 0xc0) == 0x80))
            return true;
    }
    return false;
}

static int gateway_read(struct fields *fields, struct nic *nic)
{
    struct address gateway;

    if (field_text(fields, "gateway", OPTIONAL, nic->gateway, sizeof(nic->gateway)))
        return -1;
    if (!nic->gateway[0])
        return 0;
    if (!address_parse(nic->gateway, &gateway))
        return field_refuse(fields, "gateway", -1, nic->gateway, "must be an IPv4 or IPv6 address");
    if (nic->address_count == 0)
        return field_refuse(fields, "gateway", -1, nic->gateway,
                            "needs addresses; DHCP brings its own gateway");
    if (!gateway_reachable(nic, &gateway))
        return field_refuse(fields, "gateway", -1, nic->gateway,
                            "is in the network of none of the addresses");
    return 0;
}

int nic_read(const json_t *object, const char *path, struct nic *nic, struct err *err)
{
    struct fields fields;
    unsigned vlan = 0;

    *nic = (struct nic){.bridge = BRIDGE_DEFAULT};
    if (fields_open(&fields, object, path, err) || bridge_read(&fields, nic) ||
        field_unsigned(&fields, "vlan", OPTIONAL, 1, VLAN_MAX, &vlan) ||
        field_text(&fields, "mac", OPTIONAL, nic->mac, sizeof(nic->mac)) ||
        addresses_read(&fields, "addresses", true, NIC_ADDRESSES_MAX, nic->addresses,
                       &nic->address_count) ||
        gateway_read(&fields, nic) ||
        addresses_read(&fields, "dns", false, NIC_DNS_MAX, nic->dns, &nic->dns_count) ||
        fields_end(&fields))
        return -1;
    nic->vlan = (int)vlan;
    if (nic->mac[0] && !mac_valid(nic->mac))
        return field_refuse(&fields, "mac", -1, nic->mac,
                            "must be a unicast MAC address in lower case");
    return 0;
}

static int check_mac_unique(const struct slice *slice, struct err *err)
{
    for (unsigned i = 1; i < slice->nic_count; i++)
        for (unsigned k = 0; k < i; k++)
            if (strcmp(slice->nics[i].mac, slice->nics[k].mac) == 0)
                return err_set(err, ERR_INVALID_ARGUMENT,
                               "network[%u].mac \"%s\" is that of network[%u] as well", i,
                               slice->nics[i].mac, k);
    return 0;
}

int nics_read(const json_t *array, struct slice *slice, struct err *err)
{
    slice->nic_count = array ? (unsigned)json_array_size(array) : 1;
    slice->nics = slice_nics(slice->nic_count);
    for (unsigned i = 0; i < slice->nic_count; i++) {
        struct nic *nic = &slice->nics[i];
        char path[FIELD_PATH_BYTES];

        *nic = (struct nic){.bridge = BRIDGE_DEFAULT};
        snprintf(path, sizeof(path), "network[%u]", i);
        if (array && nic_read(json_array_get(array, i), path, nic, err) < 0)
            return -1;
        if (!nic->mac[0])
            mac_derive(slice->id, i, nic->mac);
    }
    return check_mac_unique(slice, err);
}

static json_t *texts_to_json(const char (*texts)[ADDRESS_TEXT_BYTES], unsigned count)
{
    json_t *array = json_array();

    for (unsigned i = 0; i < count; i++)
        json_array_append_new(array, json_string(texts[i]));
    return array;
}

json_t *nic_to_json(const struct nic *nic)
{
    json_t *object = json_pack("{s:s, s:s}", "bridge", nic->bridge, "mac", nic->mac);

    if (nic->vlan)
        json_object_set_new(object, "vlan", json_integer(nic->vlan));
    if (nic->address_count)
        json_object_set_new(
            object, "addresses",
            texts_to_json((const char(*)[ADDRESS_TEXT_BYTES])nic->addresses, nic->address_count));
    if (nic->gateway[0])
        json_object_set_new(object, "gateway", json_string(nic->gateway));
    if (nic->dns_count)
        json_object_set_new(
            object, "dns",
            texts_to_json((const char(*)[ADDRESS_TEXT_BYTES])nic->dns, nic->dns_count));
    return object;
}

struct nic *slice_nics(unsigned count)
{
    return count ? xcalloc(count, sizeof(struct nic)) : NULL;
}
