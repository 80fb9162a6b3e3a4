/* model: requests and their arguments. */
#include "base/check.h"
#include "base/err.h"
#include "base/json.h"
#include "base/memory.h"
#include "model/document.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/protocol.h"
#include "model/provision.h"
#include "model/size.h"
#include "model/slice.h"
#include "model/snapshot.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_ID "00000000-0000-4000-8000-000000000001"
#define OTHER_ID "00000000-0000-4000-8000-000000000002"
#define SHA256 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static json_t *parse(const char *text)
{
    struct err err;
    json_t *object = NULL;

    if (!CHECK_NUMBER(0, json_object_parse(text, strlen(text), &object, &err)))
        printf("%s: %s\n", text, err.message);
    return object;
}

/* The smallest arguments of slice.provision, with `change` merged in. */
static json_t *provision_args(const char *change)
{
    json_t *args = parse("{\"name\":\"web-1\",\"image\":{\"id\":\"" OTHER_ID
                         "\"},\"vcpus\":1,\"memory_mib\":256,\"disk_gib\":4}");
    json_t *changes = parse(change);

    json_object_update(args, changes);
    json_decref(changes);
    return args;
}

static void check_refused(const char *change, enum err_code code, const char *message)
{
    CLEANUP_JSON json_t *args = provision_args(change);
    struct err err = {.code = ERR_NONE};
    struct slice slice;
    struct image image;

    if (CHECK_NUMBER(-1, provision_parse(SLICE_ID, args, &slice, &image, &err)))
        CHECK_HOLDS(message, err.message);
    CHECK_NUMBER(code, err.code);
    CHECK(!slice.user_data && slice.ssh_key_count == 0);
}

static bool provision(const char *change, struct slice *slice, struct image *image)
{
    CLEANUP_JSON json_t *args = provision_args(change);
    struct err err;
    bool good = CHECK_NUMBER(0, provision_parse(SLICE_ID, args, slice, image, &err));

    if (!good)
        puts(err.message);
    return good;
}

TEST(provision_defaults)
{
    struct slice slice, again;
    struct image image;

    if (!provision("{}", &slice, &image))
        return;
    CHECK_TEXT(SLICE_ID, slice.id);
    CHECK_TEXT("web-1", slice.hostname);
    CHECK_TEXT(OTHER_ID, slice.image);
    CHECK_TEXT("", image.url);
    CHECK(slice.boot == BOOT_GRUB && slice.desired_running && slice.restart_on_crash);
    CHECK(!slice.type_given && slice.domain_id == -1 && slice.state == SLICE_PROVISIONING);
    CHECK_NUMBER(1, slice.nic_count);
    CHECK_TEXT("xenbr0", slice.nics[0].bridge);
    CHECK(mac_valid(slice.nics[0].mac) && slice.nics[0].address_count == 0);
    /* The same slice gets the same address every time. */
    CHECK(provision("{}", &again, &image));
    CHECK_TEXT(slice.nics[0].mac, again.nics[0].mac);
    slice_free(&slice);
    slice_free(&again);
}

TEST(provision_everything)
{
    struct slice slice;
    struct image image;

    if (!provision("{\"image\":{\"id\":\"" OTHER_ID
                   "\",\"url\":\"http://h/x.raw.zst\",\"sha256\":\"" SHA256
                   "\",\"format\":\"raw\",\"compression\":\"zstd\",\"size_bytes\":1000},"
                   "\"type\":\"pv\",\"on_crash\":\"stop\",\"desired\":\"stopped\","
                   "\"boot\":{\"kind\":\"kernel\",\"kernel\":\"" SLICE_ID
                   "\",\"ramdisk\":\"" OTHER_ID "\",\"cmdline\":\"root=/dev/xvda1 ro\"},"
                   "\"network\":[{},{\"bridge\":\"br-2\",\"vlan\":12,\"mac\":\"00:16:3e:00:00:01\","
                   "\"addresses\":[\"10.0.2.100/24\",\"fd00::2/64\"],\"gateway\":\"10.0.2.2\","
                   "\"dns\":[\"10.0.2.3\",\"fd00::3\"]}],"
                   "\"cloud_init\":{\"hostname\":\"a.example\",\"ssh_keys\":[\"ssh-rsa AAAA x\"],"
                   "\"user_data\":\"#cloud-config\\n\"}}",
                   &slice, &image))
        return;
    CHECK_TEXT("http://h/x.raw.zst", image.url);
    CHECK_TEXT(SHA256, image.sha256);
    CHECK(image.compression == COMPRESSION_ZSTD && image.transfer_bytes == 1000);
    CHECK(slice.type == SLICE_PV && slice.type_given && !slice.restart_on_crash);
    CHECK(!slice.desired_running && slice.boot == BOOT_KERNEL);
    CHECK_TEXT(SLICE_ID, slice.kernel);
    CHECK_TEXT("root=/dev/xvda1 ro", slice.command_line);
    CHECK_NUMBER(2, slice.nic_count);
    CHECK_NUMBER(12, slice.nics[1].vlan);
    CHECK_NUMBER(2, slice.nics[1].address_count);
    CHECK_TEXT("fd00::2/64", slice.nics[1].addresses[1]);
    CHECK_TEXT("fd00::3", slice.nics[1].dns[1]);
    CHECK_TEXT("a.example", slice.hostname);
    CHECK_TEXT("ssh-rsa AAAA x", slice.ssh_keys[0]);
    CHECK_TEXT("#cloud-config\n", slice.user_data);
    slice_free(&slice);
}

TEST(provision_refuses_odd_names)
{
    static const char *const bad[] = {"",      "a b",   "-a",         "_a",    ".a",
                                      "a/b",   "a\\nb", "\\u00fc",    "a$(x)", "a;b",
                                      "../..", "a'b",   "a\\u001b[2J"};

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        CLEANUP_FREE char *change = xasprintf("{\"name\":\"%s\"}", bad[i]);
        check_refused(change, ERR_INVALID_ARGUMENT, "must be 1 to 63 letters");
    }
    check_refused("{\"name\":\"a123456789012345678901234567890123456789012345678901234567890123\"}",
                  ERR_INVALID_ARGUMENT, "must be 1 to 63 letters");
    check_refused("{\"name\":null}", ERR_INVALID_ARGUMENT, "name is missing");
}

TEST(provision_refuses_absurd_sizes)
{
    check_refused("{\"vcpus\":0}", ERR_INVALID_ARGUMENT, "vcpus is 0, but must be 1 to 128");
    check_refused("{\"vcpus\":129}", ERR_INVALID_ARGUMENT, "1 to 128");
    check_refused("{\"vcpus\":-1}", ERR_INVALID_ARGUMENT, "1 to 128");
    check_refused("{\"vcpus\":4294967297}", ERR_INVALID_ARGUMENT, "1 to 128");
    check_refused("{\"memory_mib\":15}", ERR_INVALID_ARGUMENT, "16 to 16777216");
    check_refused("{\"memory_mib\":16777217}", ERR_INVALID_ARGUMENT, "16 to 16777216");
    check_refused("{\"memory_mib\":1.5}", ERR_INVALID_ARGUMENT, "whole number");
    check_refused("{\"memory_mib\":\"256\"}", ERR_INVALID_ARGUMENT, "whole number");
    check_refused("{\"disk_gib\":0}", ERR_INVALID_ARGUMENT, "1 to 65536");
    check_refused("{\"disk_gib\":9223372036854775807}", ERR_INVALID_ARGUMENT, "1 to 65536");
}

TEST(provision_refuses_unknown_fields)
{
    check_refused("{\"colour\":1}", ERR_UNKNOWN_FIELD, "field \"colour\"");
    check_refused("{\"image\":{\"id\":\"" OTHER_ID "\",\"kind\":\"disk\"}}", ERR_UNKNOWN_FIELD,
                  "image: field \"kind\"");
    check_refused("{\"network\":[{},{\"speed\":1}]}", ERR_UNKNOWN_FIELD,
                  "network[1]: field \"speed\"");
    check_refused("{\"cloud_init\":{\"password\":1}}", ERR_UNKNOWN_FIELD, "cloud_init: field");
    check_refused("{\"boot\":{\"kind\":\"grub\",\"kernel\":\"" OTHER_ID "\"}}", ERR_UNKNOWN_FIELD,
                  "boot: field \"kernel\"");
}

TEST(provision_with_room_to_grow)
{
    struct slice slice, back;
    struct image image;
    struct err err;

    if (!provision("{\"max_vcpus\":4,\"max_memory_mib\":512}", &slice, &image))
        return;
    struct domain_size size = slice_size(&slice);
    CHECK(size.vcpus == 1 && size.max_vcpus == 4);
    CHECK(size.memory_mib == 256 && size.max_memory_mib == 512);
    slice.domain = size;
    CLEANUP_JSON json_t *stored = slice_to_store(&slice);
    CHECK_NUMBER(0, slice_from_store(stored, &back, &err));
    CHECK(memcmp(&back.domain, &size, sizeof(size)) == 0);
    CHECK(back.max_vcpus == 4 && back.max_memory_mib == 512);
    /* Resized beyond its limits it has new ones. */
    back.vcpus = 6;
    back.memory_mib = 1024;
    size = slice_size(&back);
    CHECK(size.max_vcpus == 6 && size.max_memory_mib == 1024);
    slice_free(&slice);
    slice_free(&back);
    check_refused("{\"vcpus\":2,\"max_vcpus\":1}", ERR_INVALID_ARGUMENT, "less than vcpus 2");
    check_refused("{\"max_memory_mib\":255}", ERR_INVALID_ARGUMENT, "less than memory_mib 256");
    check_refused("{\"max_vcpus\":129}", ERR_INVALID_ARGUMENT, "1 to 128");
    check_refused("{\"max_memory_mib\":\"1\"}", ERR_INVALID_ARGUMENT, "whole number");
}

TEST(provision_from_a_snapshot)
{
    struct slice slice, back;
    struct image image;
    struct err err;

    if (!provision("{\"image\":null,\"snapshot\":\"" SLICE_ID "\"}", &slice, &image))
        return;
    CHECK_TEXT(SLICE_ID, slice.snapshot);
    CHECK(!image.id[0] && !slice.image[0]);
    CLEANUP_JSON json_t *stored = slice_to_store(&slice);
    CHECK_NUMBER(0, slice_from_store(stored, &back, &err));
    CHECK_TEXT(SLICE_ID, back.snapshot);
    CLEANUP_JSON json_t *said = slice_to_protocol(&back, NULL, 0);
    CHECK_TEXT(SLICE_ID, json_string_value(json_object_get(said, "snapshot")));
    CHECK(json_is_null(json_object_get(said, "image")));
    slice_free(&slice);
    slice_free(&back);
    check_refused("{\"snapshot\":\"" SLICE_ID "\"}", ERR_INVALID_ARGUMENT, "exclude each other");
    check_refused("{\"image\":null}", ERR_INVALID_ARGUMENT, "image is missing");
    check_refused("{\"image\":null,\"snapshot\":\"../x\"}", ERR_INVALID_ARGUMENT,
                  "snapshot \"../x\"");
}

TEST(provision_refuses_bad_images)
{
    check_refused("{\"image\":{}}", ERR_INVALID_ARGUMENT, "image.id is missing");
    check_refused("{\"image\":{\"id\":\"../x\"}}", ERR_INVALID_ARGUMENT, "image.id \"../x\"");
    check_refused("{\"image\":{\"id\":\"" OTHER_ID "\",\"url\":\"http://h/\"}}",
                  ERR_INVALID_ARGUMENT, "sha256 is needed");
    check_refused("{\"image\":{\"id\":\"" OTHER_ID "\",\"url\":\"https://u:p@h/\"}}",
                  ERR_INVALID_ARGUMENT, "image.url: \"https://u:p@h/\" must not hold a user name");
    check_refused("{\"image\":{\"id\":\"" OTHER_ID "\",\"sha256\":\"ABC\"}}", ERR_INVALID_ARGUMENT,
                  "64 hexadecimal digits");
    check_refused("{\"image\":{\"id\":\"" OTHER_ID "\",\"format\":\"iso\"}}", ERR_INVALID_ARGUMENT,
                  "raw qcow2 vhd");
    check_refused("{\"image\":{\"id\":\"" OTHER_ID "\",\"format\":\"auto\"}}", ERR_INVALID_ARGUMENT,
                  "raw qcow2 vhd");
    check_refused("{\"image\":{\"id\":\"" OTHER_ID "\",\"compression\":\"bzip2\"}}",
                  ERR_INVALID_ARGUMENT, "none gzip xz zstd");
    check_refused("{\"image\":{\"id\":\"" OTHER_ID "\",\"size_bytes\":0}}", ERR_INVALID_ARGUMENT,
                  "image.size_bytes is 0");
    CLEANUP_FREE char *path = xcalloc(1, URL_BYTES);
    memset(path, 'x', URL_BYTES - 1);
    CLEANUP_FREE char *change =
        xasprintf("{\"image\":{\"id\":\"" OTHER_ID "\",\"url\":\"https://h/%s\"}}", path);
    check_refused(change, ERR_INVALID_ARGUMENT, "but may have at most 2047");
}

TEST(provision_refuses_bad_networks)
{
    check_refused("{\"network\":[{\"mac\":\"ff:ff:ff:ff:ff:ff\"}]}", ERR_INVALID_ARGUMENT,
                  "network[0].mac \"ff:ff:ff:ff:ff:ff\" must be a unicast MAC address");
    check_refused("{\"network\":[{\"mac\":\"00:16:3e:00:00:01\"},{\"mac\":\"00:16:3e:00:00:01\"}]}",
                  ERR_INVALID_ARGUMENT, "that of network[0] as well");
    check_refused("{\"network\":[{\"addresses\":[]}]}", ERR_INVALID_ARGUMENT, "leave it out");
    check_refused("{\"network\":[{\"addresses\":[\"10.0.0.1\"]}]}", ERR_INVALID_ARGUMENT,
                  "network[0].addresses[0] \"10.0.0.1\" must be ADDRESS/PREFIX");
    check_refused("{\"network\":[{\"addresses\":[5]}]}", ERR_INVALID_ARGUMENT, "ADDRESS/PREFIX");
    check_refused("{\"network\":[{\"addresses\":[\"10.0.0.255/24\"]}]}", ERR_INVALID_ARGUMENT,
                  "no address that a host can have");
    check_refused("{\"network\":[{\"addresses\":[\"10.0.0.1/24\"],\"gateway\":\"10.0.1.1\"}]}",
                  ERR_INVALID_ARGUMENT, "network[0].gateway");
    check_refused("{\"network\":[{\"gateway\":\"10.0.1.1\"}]}", ERR_INVALID_ARGUMENT,
                  "DHCP brings its own");
    check_refused("{\"network\":[{\"bridge\":\"a/b\"}]}", ERR_INVALID_ARGUMENT,
                  "no name of a bridge");
    check_refused("{\"network\":[{\"bridge\":\"..\"}]}", ERR_INVALID_ARGUMENT,
                  "no name of a bridge");
    check_refused("{\"network\":[{\"vlan\":4095}]}", ERR_INVALID_ARGUMENT, "1 to 4094");
    check_refused("{\"network\":[{\"dns\":[\"resolver\"]}]}", ERR_INVALID_ARGUMENT,
                  "network[0].dns[0]");
    check_refused("{\"network\":[7]}", ERR_INVALID_ARGUMENT, "network[0] is a number");
    check_refused("{\"network\":[{},{},{},{},{},{},{},{},{}]}", ERR_INVALID_ARGUMENT, "at most 8");
}

TEST(provision_gateways_out_of_the_network)
{
    struct slice slice;
    struct image image;

    /* Routed addresses have their gateway anywhere on the link; IPv6 has link-local ones. */
    if (provision("{\"network\":[{\"addresses\":[\"192.0.2.5/32\"],\"gateway\":\"198.51.100.1\"},"
                  "{\"addresses\":[\"2001:db8::5/64\"],\"gateway\":\"fe80::1\"}]}",
                  &slice, &image))
        slice_free(&slice);
    if (provision("{\"network\":[]}", &slice, &image)) {
        CHECK_NUMBER(0, slice.nic_count);
        slice_free(&slice);
    }
}

TEST(provision_refuses_bad_guests)
{
    check_refused("{\"cloud_init\":{\"hostname\":\"a_b\"}}", ERR_INVALID_ARGUMENT,
                  "cloud_init.hostname \"a_b\"");
    check_refused("{\"cloud_init\":{\"ssh_keys\":[\"ssh-rsa AAAA\",\"rubbish\"]}}",
                  ERR_INVALID_ARGUMENT, "cloud_init.ssh_keys[1]: \"rubbish\"");
    check_refused("{\"cloud_init\":{\"ssh_keys\":[1]}}", ERR_INVALID_ARGUMENT,
                  "cloud_init.ssh_keys[0] must be a string");
    check_refused("{\"boot\":{\"kind\":\"uefi\"}}", ERR_INVALID_ARGUMENT, "boot.kind");
    check_refused("{\"boot\":{\"kind\":\"kernel\"}}", ERR_INVALID_ARGUMENT,
                  "boot.kernel is missing");
    check_refused("{\"boot\":{\"kind\":\"kernel\",\"kernel\":\"" OTHER_ID
                  "\",\"cmdline\":\"a\\nb\"}}",
                  ERR_INVALID_ARGUMENT, "printable ASCII");
    check_refused("{\"type\":\"hvm\"}", ERR_INVALID_ARGUMENT, "pvh pv");
    check_refused("{\"on_crash\":\"ignore\"}", ERR_INVALID_ARGUMENT, "restart stop");
    CLEANUP_FREE char *data = xcalloc(1, USER_DATA_LIMIT + 2);
    memset(data, 'x', USER_DATA_LIMIT + 1);
    CLEANUP_FREE char *change = xasprintf("{\"cloud_init\":{\"user_data\":\"%s\"}}", data);
    check_refused(change, ERR_INVALID_ARGUMENT, "65537 bytes long, but may have at most 65536");
}

TEST(host_name_from_the_slice_name)
{
    static const struct {
        const char *name, *hostname;
    } cases[] = {{"web", "web"},   {"web_1", "web-1"}, {"Web.1", "Web.1"}, {"a-", "a"},
                 {"a._-b", "a.b"}, {"a-.b", "a.b"},    {"a.-", "a"},       {"a--b", "a--b"},
                 {"a...b", "a.b"}, {"a--.__b", "a.b"}, {"0", "0"}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        CLEANUP_FREE char *change = xasprintf("{\"name\":\"%s\"}", cases[i].name);
        struct slice slice;
        struct image image;

        if (!provision(change, &slice, &image))
            continue;
        CHECK_TEXT(cases[i].hostname, slice.hostname);
        CHECK(hostname_valid(slice.hostname));
        slice_free(&slice);
    }
}

TEST(slice_survives_the_store)
{
    struct slice slice, back;
    struct image image;
    struct err err;

    if (!provision(
            "{\"boot\":{\"kind\":\"kernel\",\"kernel\":\"" OTHER_ID "\"},\"type\":\"pv\","
            "\"network\":[{\"vlan\":3,\"addresses\":[\"10.0.0.2/24\"],\"dns\":[\"10.0.0.3\"],"
            "\"gateway\":\"10.0.0.1\"}],"
            "\"cloud_init\":{\"ssh_keys\":[\"ssh-rsa AAAA\"],\"user_data\":\"x\\u00fc\"}}",
            &slice, &image))
        return;
    slice.state = SLICE_FAILED;
    slice.disk_thin_id = 5;
    slice.seed_thin_id = 16777215;
    slice.domain_id = 3;
    err_set(&slice.error, ERR_BOOT_FAILED, "no boot loader");
    CLEANUP_JSON json_t *stored = slice_to_store(&slice);
    if (CHECK_NUMBER(0, slice_from_store(stored, &back, &err))) {
        CLEANUP_JSON json_t *again = slice_to_store(&back);
        CHECK(json_equal(stored, again));
        CHECK(back.state == SLICE_FAILED && back.error.code == ERR_BOOT_FAILED);
        CHECK(back.seed_thin_id == 16777215 && back.type_given && back.nics[0].vlan == 3);
        CHECK_TEXT("x\xc3\xbc", back.user_data);
        slice_free(&back);
    } else {
        puts(err.message);
    }
    json_object_set_new(stored, "state", json_string("sleeping"));
    CHECK_NUMBER(-1, slice_from_store(stored, &back, &err));
    CHECK_HOLDS("no state of a slice", err.message);
    slice_free(&slice);
}

TEST(slice_for_the_controller)
{
    struct snapshot snapshot = {.id = OTHER_ID, .name = "before", .created_ms = 1767323045000};
    struct slice slice;
    struct image image;

    if (!provision("{}", &slice, &image))
        return;
    slice.state = SLICE_RUNNING;
    CLEANUP_JSON json_t *object = slice_to_protocol(&slice, &snapshot, 1);
    CLEANUP_FREE char *text = json_text(object);
    CHECK_TEXT("{\"desired\":\"running\",\"disk_gib\":4,\"domain_id\":null,\"error\":null,"
               "\"id\":\"" SLICE_ID "\",\"image\":\"" OTHER_ID "\",\"memory_mib\":256,"
               "\"name\":\"web-1\",\"snapshots\":[{\"id\":\"" OTHER_ID
               "\",\"memory\":false,\"name\":\"before\",\"time\":\"2026-01-02T03:04:05.000Z\"}],"
               "\"state\":\"running\",\"type\":\"pvh\",\"vcpus\":1}",
               text);
    slice.domain_id = 7;
    slice.image[0] = '\0';
    err_set(&slice.error, ERR_CRASH_LOOP, "crashed");
    CLEANUP_JSON json_t *failed = slice_to_protocol(&slice, NULL, 0);
    CLEANUP_FREE char *failed_text = json_text(failed);
    CHECK_HOLDS("\"domain_id\":7", failed_text);
    CHECK_HOLDS("\"image\":null", failed_text);
    CHECK_HOLDS("\"error\":{\"code\":\"crash_loop\",\"message\":\"crashed\"}", failed_text);
    slice_free(&slice);
}
