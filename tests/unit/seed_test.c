#include "base/err.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/nic.h"
#include "model/slice.h"
#include "step/seed.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define SLICE_ID "6f1d7f64-8e3b-4c52-9d34-0b8a5b0f9f11"

static uint32_t both_endian(const unsigned char *at)
{
    uint32_t little = at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
    uint32_t big = at[7] | at[6] << 8 | at[5] << 16 | (uint32_t)at[4] << 24;
    CHECK_NUMBER(little, big);
    return little;
}

/* The Rock Ridge name of a directory record: "" for "." and "..". */
static void record_name(const unsigned char *record, char name[static 64])
{
    unsigned at = 33 + record[32] + (record[32] % 2 == 0);
    name[0] = '\0';
    while (at + 4 <= record[0] && record[at + 2] >= 4) {
        if (memcmp(record + at, "NM", 2) == 0) {
            memcpy(name, record + at + 5, record[at + 2] - 5u);
            name[record[at + 2] - 5] = '\0';
        }
        at += record[at + 2];
    }
}

/* The text of a file as an ISO 9660 reader with Rock Ridge finds it; the caller frees. */
static char *file_text(const unsigned char *image, size_t length, const char *wanted)
{
    const unsigned char *descriptor = image + 16 * SEED_BLOCK_BYTES;
    CHECK(memcmp(descriptor, "\1CD001\1", 7) == 0);
    CHECK(memcmp(descriptor + 40, "cidata                          ", 32) == 0);
    CHECK_NUMBER(length / SEED_BLOCK_BYTES, both_endian(descriptor + 80));
    const unsigned char *record =
        image + (size_t)both_endian(descriptor + 156 + 2) * SEED_BLOCK_BYTES;
    for (; record[0] != 0; record += record[0]) {
        char name[64];
        size_t start = (size_t)both_endian(record + 2) * SEED_BLOCK_BYTES;
        size_t size = both_endian(record + 10);
        record_name(record, name);
        CHECK(start + size <= length);
        if (strcmp(name, wanted) == 0)
            return xasprintf("%.*s", (int)size, (const char *)image + start);
    }
    return xstrdup("(not there)");
}

struct built {
    char *meta;
    char *network;
    char *user;
};

static struct built build(const struct slice *slice)
{
    struct built built = {0};
    struct err err = {0};
    void *image = NULL, *again = NULL;
    size_t length = 0, length_again = 0;
    CHECK_NUMBER(0, seed_build(slice, &image, &length, &err));
    CHECK_NUMBER(0, seed_build(slice, &again, &length_again, &err));
    CHECK_NUMBER(0, length % SEED_BLOCK_BYTES);
    CHECK(length == length_again && memcmp(image, again, length) == 0);
    built.meta = file_text(image, length, "meta-data");
    built.network = file_text(image, length, "network-config");
    built.user = file_text(image, length, "user-data");
    free(image);
    free(again);
    return built;
}

static void release(struct built *built)
{
    free(built->meta);
    free(built->network);
    free(built->user);
}

/* Compares JSON, not its layout. */
static void check_json(const char *wanted, const char *got)
{
    CLEANUP_JSON json_t *left = json_loads(wanted, 0, NULL);
    CLEANUP_JSON json_t *right = json_loads(got, 0, NULL);
    CHECK(left != NULL);
    CLEANUP_FREE char *text = right != NULL ? json_text(right) : xstrdup(got);
    CLEANUP_FREE char *wanted_text = json_text(left);
    CHECK_TEXT(wanted_text, text);
}

static struct slice plain_slice(void)
{
    struct slice slice = {.id = SLICE_ID, .name = "web", .hostname = "web.example.org"};
    return slice;
}

static struct nic *add_nic(struct slice *slice, const char *mac)
{
    static struct nic nics[SLICE_NICS_MAX]; /* of one slice at a time */
    slice->nics = nics;
    struct nic *nic = &slice->nics[slice->nic_count++];
    *nic = (struct nic){0};
    copy_text(nic->mac, sizeof(nic->mac), mac);
    return nic;
}

static void add_address(struct nic *nic, const char *address)
{
    copy_text(nic->addresses[nic->address_count++], ADDRESS_TEXT_BYTES, address);
}

TEST(seed_of_a_plain_slice)
{
    struct slice slice = plain_slice();
    struct built built = build(&slice);
    check_json("{\"instance-id\": \"" SLICE_ID "\", \"local-hostname\": \"web.example.org\","
               " \"public-keys\": []}",
               built.meta);
    check_json("{\"version\": 1, \"config\": []}", built.network);
    CHECK_TEXT("#cloud-config\n{}\n", built.user);
    release(&built);
}

TEST(seed_quotes_what_the_tenant_wrote)
{
    struct slice slice = plain_slice();
    char key[] = "ssh-ed25519 AAAA a: \"b\" # c 'd' \\ \xc3\xa9 {x}";
    char user_data[] = "#!/bin/sh\necho \"$PATH\" \\ 'x'\n";
    slice.ssh_keys[0] = key;
    slice.ssh_key_count = 1;
    slice.user_data = user_data;
    struct built built = build(&slice);
    CLEANUP_JSON json_t *meta = json_loads(built.meta, 0, NULL);
    CHECK_TEXT(key, json_string_value(json_array_get(json_object_get(meta, "public-keys"), 0)));
    CHECK_TEXT(user_data, built.user);
    release(&built);
}

TEST(seed_network)
{
    struct slice slice = plain_slice();
    struct nic *first = add_nic(&slice, "02:00:00:00:00:01");
    add_address(first, "2001:db8::5/64");
    add_address(first, "10.0.2.100/24");
    copy_text(first->gateway, sizeof(first->gateway), "10.0.2.2");
    copy_text(first->dns[first->dns_count++], ADDRESS_TEXT_BYTES, "10.0.2.3");
    add_nic(&slice, "02:00:00:00:00:02");
    struct nic *routed = add_nic(&slice, "02:00:00:00:00:03");
    add_address(routed, "192.0.2.7/32");
    copy_text(routed->gateway, sizeof(routed->gateway), "198.51.100.1");
    struct nic *strange = add_nic(&slice, "02:00:00:00:00:04");
    add_address(strange, "192.0.2.8/24");
    copy_text(strange->gateway, sizeof(strange->gateway), "2001:db8::1");
    struct built built = build(&slice);
    check_json(
        "{\"version\": 1, \"config\": ["
        "{\"type\": \"physical\", \"name\": \"eth0\", \"mac_address\": \"02:00:00:00:00:01\","
        " \"subnets\": [{\"type\": \"static6\", \"address\": \"2001:db8::5/64\","
        " \"dns_nameservers\": [\"10.0.2.3\"]}, {\"type\": \"static\","
        " \"address\": \"10.0.2.100/24\", \"gateway\": \"10.0.2.2\"}]},"
        "{\"type\": \"physical\", \"name\": \"eth1\", \"mac_address\": \"02:00:00:00:00:02\","
        " \"subnets\": [{\"type\": \"dhcp4\"}]},"
        "{\"type\": \"physical\", \"name\": \"eth2\", \"mac_address\": \"02:00:00:00:00:03\","
        " \"subnets\": [{\"type\": \"static\", \"address\": \"192.0.2.7/32\","
        " \"gateway\": \"198.51.100.1\"}]},"
        "{\"type\": \"physical\", \"name\": \"eth3\", \"mac_address\": \"02:00:00:00:00:04\","
        " \"subnets\": [{\"type\": \"static\", \"address\": \"192.0.2.8/24\"}]}]}",
        built.network);
    release(&built);
}

TEST(seed_gateway_goes_with_its_own_network)
{
    struct slice slice = plain_slice();
    struct nic *nic = add_nic(&slice, "02:00:00:00:00:01");
    add_address(nic, "10.1.0.5/16");
    add_address(nic, "10.2.0.5/16");
    add_address(nic, "2001:db8:1::5/64");
    add_address(nic, "2001:db8:2::5/64");
    copy_text(nic->gateway, sizeof(nic->gateway), "2001:db8:2::1");
    struct built built = build(&slice);
    CLEANUP_JSON json_t *network = json_loads(built.network, 0, NULL);
    json_t *interface = json_array_get(json_object_get(network, "config"), 0);
    json_t *subnets = json_object_get(interface, "subnets");
    for (size_t index = 0; index < 4; index++)
        CHECK((json_object_get(json_array_get(subnets, index), "gateway") != NULL) == (index == 3));
    release(&built);
}

TEST(seed_of_the_largest_slice)
{
    struct slice slice = plain_slice();
    char *key = xcalloc(1, 4096), *user_data = xcalloc(1, USER_DATA_LIMIT + 1);
    memset(key, 'k', 4095);
    memset(user_data, '\x01', USER_DATA_LIMIT);
    for (unsigned index = 0; index < SSH_KEYS_MAX; index++)
        slice.ssh_keys[slice.ssh_key_count++] = key;
    slice.user_data = user_data;
    for (unsigned index = 0; index < SLICE_NICS_MAX; index++) {
        struct nic *nic = add_nic(&slice, "02:00:00:00:00:01");
        for (unsigned address = 0; address < NIC_ADDRESSES_MAX; address++)
            add_address(nic, "2001:db8:1111:2222:3333:4444:5555:6666/128");
    }
    struct built built = build(&slice);
    CHECK_NUMBER(USER_DATA_LIMIT, strlen(built.user));
    CHECK_HOLDS("kkkk", built.meta);
    release(&built);
    free(key);
    free(user_data);
}

TEST(seed_refuses_text_that_is_not_utf8)
{
    struct slice slice = plain_slice();
    struct err err = {0};
    char key[] = "ssh-ed25519 \xff";
    void *image = NULL;
    size_t length = 0;
    slice.ssh_keys[0] = key;
    slice.ssh_key_count = 1;
    CHECK_NUMBER(-1, seed_build(&slice, &image, &length, &err));
    CHECK_NUMBER(ERR_INVALID_ARGUMENT, err.code);
}
