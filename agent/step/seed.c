#include "step/seed.h"

#include "base/err.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/nic.h"
#include "model/slice.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* Where things are, in blocks. */
enum {
    BLOCK_DESCRIPTOR = 16,
    BLOCK_TERMINATOR,
    BLOCK_PATH_TABLE_LITTLE,
    BLOCK_PATH_TABLE_BIG,
    BLOCK_ROOT,
    BLOCK_FILES
};

#define PATH_TABLE_BYTES 10
#define RECORD_HEADER_BYTES 33
#define MODE_FOLDER 0040555
#define MODE_FILE 0100444

struct file {
    const char *name;     /* the Rock Ridge name, which Linux shows */
    const char *iso_name; /* for readers without Rock Ridge */
    const char *data;
    size_t length;
    uint32_t block;
};

/* A place to write to; the callers know that there is room. */
struct cursor {
    unsigned char *at;
};

static void put_bytes(struct cursor *cursor, const void *data, size_t length)
{
    memcpy(cursor->at, data, length);
    cursor->at += length;
}

static void put_byte(struct cursor *cursor, unsigned value)
{
    *cursor->at++ = (unsigned char)value;
}

/* ISO 9660 keeps numbers in both byte orders, little-endian first. */
static void put_both_16(struct cursor *cursor, uint16_t value)
{
    uint16_t big = htons(value);
    put_byte(cursor, value & 0xff);
    put_byte(cursor, value >> 8);
    put_bytes(cursor, &big, sizeof(big));
}

static void put_both_32(struct cursor *cursor, uint32_t value)
{
    uint32_t big = htonl(value);
    for (unsigned shift = 0; shift < 32; shift += 8)
        put_byte(cursor, value >> shift & 0xff);
    put_bytes(cursor, &big, sizeof(big));
}

static void put_padded(struct cursor *cursor, const char *text, size_t width)
{
    size_t length = strlen(text);
    memset(cursor->at, ' ', width);
    memcpy(cursor->at, text, length < width ? length : width);
    cursor->at += width;
}

static void put_zeroes(struct cursor *cursor, size_t count)
{
    cursor->at += count; /* the image was allocated as zeroes */
}

/* A fixed moment, for the same bytes every time: 2020-01-01 00:00:00 UTC. */
static void put_record_time(struct cursor *cursor)
{
    static const unsigned char moment[7] = {120, 1, 1, 0, 0, 0, 0};
    put_bytes(cursor, moment, sizeof(moment));
}

/* System use entries: two letters, length, version. */
static void put_entry(struct cursor *cursor, const char *signature, unsigned length)
{
    put_bytes(cursor, signature, 2);
    put_byte(cursor, length);
    put_byte(cursor, 1);
}

static void put_rock_ridge(struct cursor *cursor, uint32_t mode, uint32_t links, const char *name,
                           bool first)
{
    if (first) {
        put_entry(cursor, "SP", 7); /* "system use entries follow", in the first record only */
        put_byte(cursor, 0xbe);
        put_byte(cursor, 0xef);
        put_byte(cursor, 0);
    }
    put_entry(cursor, "PX", 36);
    put_both_32(cursor, mode);
    put_both_32(cursor, links);
    put_both_32(cursor, 0);
    put_both_32(cursor, 0);
    if (name) {
        put_entry(cursor, "NM", 5 + (unsigned)strlen(name));
        put_byte(cursor, 0);
        put_bytes(cursor, name, strlen(name));
    }
    if (first) {
        static const char extension[] = "RRIP_1991A";
        put_entry(cursor, "ER", 8 + sizeof(extension) - 1);
        put_byte(cursor, sizeof(extension) - 1);
        put_byte(cursor, 0);
        put_byte(cursor, 0);
        put_byte(cursor, 1);
        put_bytes(cursor, extension, sizeof(extension) - 1);
    }
}

/* A directory record; `rock_ridge_name` is NULL for "." and "..". */
static void put_record(struct cursor *cursor, const char *iso_name, size_t iso_name_length,
                       uint32_t block, uint32_t length, bool folder, const char *rock_ridge_name,
                       bool with_rock_ridge, bool first)
{
    unsigned char *start = cursor->at;
    put_zeroes(cursor, 2); /* the record's length, known at the end, and no extended attributes */
    put_both_32(cursor, block);
    put_both_32(cursor, length);
    put_record_time(cursor);
    put_byte(cursor, folder ? 2 : 0);
    put_zeroes(cursor, 2); /* not interleaved */
    put_both_16(cursor, 1);
    put_byte(cursor, (unsigned)iso_name_length);
    put_bytes(cursor, iso_name, iso_name_length);
    if (iso_name_length % 2 == 0)
        put_zeroes(cursor, 1);
    if (with_rock_ridge)
        put_rock_ridge(cursor, folder ? MODE_FOLDER : MODE_FILE, folder ? 2 : 1, rock_ridge_name,
                       first);
    if ((cursor->at - start) % 2 != 0)
        put_zeroes(cursor, 1);
    start[0] = (unsigned char)(cursor->at - start);
}

static void write_descriptor(unsigned char *image, uint32_t blocks)
{
    struct cursor cursor = {image + BLOCK_DESCRIPTOR * SEED_BLOCK_BYTES};
    put_bytes(&cursor, "\1CD001\1\0", 8);
    put_padded(&cursor, "LINUX", 32);
    put_padded(&cursor, "cidata", 32);
    put_zeroes(&cursor, 8);
    put_both_32(&cursor, blocks);
    put_zeroes(&cursor, 32);
    put_both_16(&cursor, 1); /* one volume, this one */
    put_both_16(&cursor, 1);
    put_both_16(&cursor, SEED_BLOCK_BYTES);
    put_both_32(&cursor, PATH_TABLE_BYTES);
    put_byte(&cursor, BLOCK_PATH_TABLE_LITTLE);
    put_zeroes(&cursor, 3 + 4 + 3);
    put_byte(&cursor, BLOCK_PATH_TABLE_BIG);
    put_zeroes(&cursor, 4);
    put_record(&cursor, "", 1, BLOCK_ROOT, SEED_BLOCK_BYTES, true, NULL, false, false);
    put_padded(&cursor, "", 128);
    put_padded(&cursor, "SLICENODE", 128);
    put_padded(&cursor, "SLICENODE", 128);
    put_padded(&cursor, "SLICENODE", 128);
    put_padded(&cursor, "", 3 * 37);
    for (int date = 0; date < 4; date++) { /* not specified */
        put_bytes(&cursor, "0000000000000000", 16);
        put_zeroes(&cursor, 1);
    }
    put_byte(&cursor, 1);

    struct cursor terminator = {image + BLOCK_TERMINATOR * SEED_BLOCK_BYTES};
    put_bytes(&terminator, "\377CD001\1", 7);
}

/* One entry, the root: name length 1, no attributes, its block, parent 1, and the name "\0". */
static void write_path_tables(unsigned char *image)
{
    unsigned char *little = image + BLOCK_PATH_TABLE_LITTLE * SEED_BLOCK_BYTES;
    unsigned char *big = image + BLOCK_PATH_TABLE_BIG * SEED_BLOCK_BYTES;
    little[0] = big[0] = 1;
    little[2] = BLOCK_ROOT;
    big[5] = BLOCK_ROOT;
    little[6] = 1;
    big[7] = 1;
}

static void write_root(unsigned char *image, const struct file *files, size_t count)
{
    struct cursor cursor = {image + BLOCK_ROOT * SEED_BLOCK_BYTES};
    put_record(&cursor, "\0", 1, BLOCK_ROOT, SEED_BLOCK_BYTES, true, NULL, true, true);
    put_record(&cursor, "\1", 1, BLOCK_ROOT, SEED_BLOCK_BYTES, true, NULL, true, false);
    for (size_t index = 0; index < count; index++)
        put_record(&cursor, files[index].iso_name, strlen(files[index].iso_name),
                   files[index].block, (uint32_t)files[index].length, false, files[index].name,
                   true, false);
}

static int write_image(struct file *files, size_t count, void **image, size_t *length,
                       struct err *err)
{
    uint32_t blocks = BLOCK_FILES;
    for (size_t index = 0; index < count; index++) {
        files[index].block = blocks;
        blocks += (uint32_t)((files[index].length + SEED_BLOCK_BYTES - 1) / SEED_BLOCK_BYTES);
    }
    *length = (size_t)blocks * SEED_BLOCK_BYTES;
    if (*length > SEED_LIMIT_BYTES)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the cloud-init data is %zu bytes long, at most %u fit", *length,
                       SEED_LIMIT_BYTES);
    unsigned char *bytes = xcalloc(blocks, SEED_BLOCK_BYTES);
    write_descriptor(bytes, blocks);
    write_path_tables(bytes);
    write_root(bytes, files, count);
    for (size_t index = 0; index < count; index++)
        if (files[index].length > 0)
            memcpy(bytes + (size_t)files[index].block * SEED_BLOCK_BYTES, files[index].data,
                   files[index].length);
    *image = bytes;
    return 0;
}

/* JSON is YAML too, and quotes whatever the tenant wrote. */
static char *to_text(json_t *object)
{
    if (!object)
        return NULL;
    char *text = json_dumps(object, JSON_INDENT(1) | JSON_SORT_KEYS);
    json_decref(object);
    return text;
}

static char *meta_data(const struct slice *slice)
{
    json_t *keys = json_array();
    for (unsigned index = 0; index < slice->ssh_key_count; index++)
        if (json_array_append_new(keys, json_string(slice->ssh_keys[index])) != 0) {
            json_decref(keys);
            return NULL;
        }
    const char *hostname = slice->hostname[0] != '\0' ? slice->hostname : slice->name;
    return to_text(json_pack("{s:s, s:s, s:o}", "instance-id", slice->id, "local-hostname",
                             hostname, "public-keys", keys));
}

static bool is_ipv6(const char *address)
{
    return strchr(address, ':');
}

/* Whether `gateway` lies in the network of `address` ("192.0.2.1/24"). */
static bool in_network(const char *address, const char *gateway)
{
    char text[ADDRESS_TEXT_BYTES];
    unsigned char left[16], right[16];
    unsigned bits = 0;
    copy_text(text, sizeof(text), address);
    char *slash = strchr(text, '/');
    if (!slash || sscanf(slash + 1, "%u", &bits) != 1)
        return false;
    *slash = '\0';
    int family = is_ipv6(gateway) ? AF_INET6 : AF_INET;
    unsigned longest = family == AF_INET6 ? 128 : 32;
    if (inet_pton(family, text, left) != 1 || inet_pton(family, gateway, right) != 1 ||
        bits > longest)
        return false;
    for (unsigned bit = 0; bit < bits; bit++)
        if (((left[bit / 8] ^ right[bit / 8]) & (0x80 >> bit % 8)) != 0)
            return false;
    return true;
}

/* Which address the gateway is named with: the one whose network it lies in, else the first of its
 * family (a routed /32). The count of addresses when there is no gateway, or none fits. */
static unsigned gateway_index(const struct nic *nic)
{
    unsigned found = nic->address_count;
    if (nic->gateway[0] == '\0')
        return found;
    for (unsigned index = 0; index < nic->address_count; index++) {
        if (in_network(nic->addresses[index], nic->gateway))
            return index;
        if (found == nic->address_count && is_ipv6(nic->addresses[index]) == is_ipv6(nic->gateway))
            found = index;
    }
    return found;
}

static json_t *name_servers(const struct nic *nic)
{
    json_t *servers = json_array();
    for (unsigned index = 0; index < nic->dns_count; index++)
        json_array_append_new(servers, json_string(nic->dns[index]));
    return servers;
}

static json_t *subnets(const struct nic *nic)
{
    json_t *list = json_array();
    unsigned with_gateway = gateway_index(nic);
    for (unsigned index = 0; index < nic->address_count; index++) {
        const char *address = nic->addresses[index];
        json_t *subnet = json_pack("{s:s, s:s}", "type", is_ipv6(address) ? "static6" : "static",
                                   "address", address);
        if (index == with_gateway)
            json_object_set_new(subnet, "gateway", json_string(nic->gateway));
        json_array_append_new(list, subnet);
    }
    if (nic->address_count == 0)
        json_array_append_new(list, json_pack("{s:s}", "type", "dhcp4"));
    if (nic->dns_count > 0)
        json_object_set_new(json_array_get(list, 0), "dns_nameservers", name_servers(nic));
    return list;
}

/* Version 1: cloud-init turns it into what each distribution's network scripts want. From version 2
 * it makes a default route that ifupdown cannot set without net-tools, and that networkd refuses
 * when the gateway is outside the address's network. */
static char *network_config(const struct slice *slice)
{
    json_t *interfaces = json_array();
    for (unsigned index = 0; index < slice->nic_count; index++) {
        const struct nic *nic = &slice->nics[index];
        char name[NIC_NAME_BYTES];
        snprintf(name, sizeof(name), "eth%u", index);
        json_array_append_new(interfaces,
                              json_pack("{s:s, s:s, s:s, s:o}", "type", "physical", "name", name,
                                        "mac_address", nic->mac, "subnets", subnets(nic)));
    }
    return to_text(json_pack("{s:i, s:o}", "version", 1, "config", interfaces));
}

int seed_build(const struct slice *slice, void **image, size_t *length, struct err *err)
{
    CLEANUP_FREE char *meta = meta_data(slice);
    CLEANUP_FREE char *network = network_config(slice);
    const char *user = slice->user_data ? slice->user_data : "#cloud-config\n{}\n";
    if (!meta || !network)
        return err_set(err, ERR_INVALID_ARGUMENT, "the slice's texts are not valid UTF-8");
    struct file files[] = {
        {.name = "meta-data", .iso_name = "META_DATA.;1", .data = meta, .length = strlen(meta)},
        {.name = "network-config",
         .iso_name = "NETWORK_CONFIG.;1",
         .data = network,
         .length = strlen(network)},
        {.name = "user-data", .iso_name = "USER_DATA.;1", .data = user, .length = strlen(user)},
    };
    return write_image(files, ARRAY_LENGTH(files), image, length, err);
}
