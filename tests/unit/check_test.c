/* check: names, addresses, URLs, keys. */
#include "base/check.h"
#include "base/err.h"
#include "base/memory.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

TEST(host_names)
{
    static const char *const good[] = {"a", "A1", "web-1.example.com", "0.example",
                                       "xn--bcher-kva.ch"};
    static const char *const bad[] = {"",    "-a",  "a-",       "a..b", ".a", "a.",
                                      "a_b", "a b", "\xc3\xbc", "a.-b", "a\n"};
    char longest[300];

    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        if (!CHECK(hostname_valid(good[i])))
            puts(good[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        if (!CHECK(!hostname_valid(bad[i])))
            puts(bad[i]);
    memset(longest, 'a', sizeof(longest));
    longest[63] = '\0';
    CHECK(hostname_valid(longest));
    longest[63] = 'a';
    longest[64] = '\0';
    CHECK(!hostname_valid(longest));
    for (int i = 0; i < 254; i++)
        longest[i] = i % 2 ? '.' : 'a';
    longest[253] = '\0';
    CHECK(hostname_valid(longest));
    longest[253] = '.';
    longest[254] = 'a';
    longest[255] = '\0';
    CHECK(!hostname_valid(longest));
}

TEST(mac_addresses)
{
    CHECK(mac_valid("00:16:3e:00:00:01"));
    CHECK(mac_valid("02:ab:cd:ef:00:00"));
    CHECK(!mac_valid("01:00:5e:00:00:01"));
    CHECK(!mac_valid("ff:ff:ff:ff:ff:ff"));
    CHECK(!mac_valid("00:00:00:00:00:00"));
    CHECK(!mac_valid("00:16:3E:00:00:01"));
    CHECK(!mac_valid("00:16:3e:00:00:0"));
    CHECK(!mac_valid("00:16:3e:00:00:001"));
    CHECK(!mac_valid("00-16-3e-00-00-01"));
    CHECK(!mac_valid(""));
}

TEST(addresses_with_prefix)
{
    static const char *const good[] = {"10.0.2.100/24", "192.0.2.1/32", "fd00::1/64",
                                       "2001:db8::ffff/128"};
    static const char *const bad[] = {
        "10.0.2.100",   "10.0.2.100/33",  "10.0.2.100/0", "10.0.2/24", "10.0.2.256/24",
        "fd00::1/129",  "fd00::1/",       "fd00::1/6 4",  "/24",       "10.0.2.1/024",
        "010.0.2.1/24", "10.0.2.1/24/24", "fe80::1%2/64", "host/24",   "10.0.2.1/-1"};
    struct address address;

    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        if (!CHECK(address_prefix_parse(good[i], &address)))
            puts(good[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        if (!CHECK(!address_prefix_parse(bad[i], &address)))
            puts(bad[i]);
    CHECK(address_prefix_parse("10.1.2.3/20", &address));
    CHECK(address.family == AF_INET && address.prefix == 20 && address.bytes[1] == 1);
}

TEST(addresses_of_hosts)
{
    static const struct {
        const char *text;
        bool host;
    } cases[] = {
        {"10.0.2.100/24", true}, {"10.0.2.0/24", false},  {"10.0.2.255/24", false},
        {"10.0.2.0/31", true},   {"10.0.2.1/31", true},   {"10.0.2.255/32", true},
        {"127.0.0.1/8", false},  {"224.0.0.1/24", false}, {"0.0.0.1/8", false},
        {"fd00::1/64", true},    {"::1/128", false},      {"::/64", false},
        {"ff02::1/64", false},   {"2001:db8::/64", true},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct address address;
        CHECK(address_prefix_parse(cases[i].text, &address));
        if (!CHECK_NUMBER(cases[i].host, address_of_host(&address)))
            puts(cases[i].text);
    }
}

TEST(networks)
{
    struct address network, other;

    CHECK(address_prefix_parse("10.0.2.100/23", &network));
    CHECK(address_parse("10.0.3.1", &other) && address_same_network(&network, &other));
    CHECK(address_parse("10.0.4.1", &other) && !address_same_network(&network, &other));
    CHECK(address_parse("fd00::1", &other) && !address_same_network(&network, &other));
}

static void check_url(const char *url, const char *problem)
{
    struct err err = {.message = ""};
    int result = url_check(url, &err);

    if (problem) {
        CHECK_NUMBER(-1, result);
        CHECK_HOLDS(problem, err.message);
    } else if (!CHECK_NUMBER(0, result)) {
        puts(err.message);
    }
}

TEST(urls)
{
    check_url("https://host", NULL);
    check_url("https://host/", NULL);
    check_url("http://host:8080/a/b?c=d&e=%20", NULL);
    check_url("https://10.0.2.2:8443", NULL);
    check_url("https://[fd00::1]:8443/x", NULL);
    check_url("https://[fd00::1]", NULL);
    check_url("https://host?query", NULL);
    check_url("ftp://host/", "must begin with https://");
    check_url("HTTPS://host/", "must begin with https://");
    check_url("file:///etc/passwd", "must begin with https://");
    check_url("https://", "no valid host");
    check_url("https:///path", "no valid host");
    check_url("https://user@host/", "user name");
    check_url("https://user:password@host/", "user name");
    check_url("https://host:0/", "bad port");
    check_url("https://host:65536/", "bad port");
    check_url("https://host:/", "bad port");
    check_url("https://host:8x/", "bad port");
    check_url("https://1.2.3/", "no valid host");
    check_url("https://1.2.3.400/", "no valid host");
    check_url("https://[fd00::1/", "no host");
    check_url("https://[10.0.0.1]/", "IPv6");
    check_url("https://[fd00::1]x/", "port");
    check_url("https://ho st/", "at byte 11");
    check_url("https://host/\n", "at byte 14");
    check_url("https://host/#part", "at byte 14");
    check_url("https://host/\xc3\xbc", "at byte 14");
    check_url("https://ho_st/", "no valid host");
}

TEST(base64)
{
    CHECK(base64_valid("AAAA", 4) && base64_valid("AAA=", 4) && base64_valid("AA==", 4));
    CHECK(!base64_valid("A===", 4) && !base64_valid("AAA", 4) && !base64_valid("", 4));
    CHECK(!base64_valid("AAAAAAAA", 4) && !base64_valid("AA=A", 4) && !base64_valid("AA-_", 4));
}

static void check_key(const char *line, const char *problem)
{
    struct err err = {.message = ""};
    int result = ssh_key_check(line, &err);

    if (problem) {
        CHECK_NUMBER(-1, result);
        CHECK_HOLDS(problem, err.message);
    } else if (!CHECK_NUMBER(0, result)) {
        puts(err.message);
    }
}

TEST(ssh_keys)
{
    check_key("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ3", NULL);
    check_key("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAB me@host with words", NULL);
    check_key("ecdsa-sha2-nistp256 AAAAE2Vj", NULL);
    check_key("sk-ssh-ed25519@openssh.com AAAAGnNr \xc3\xbc", NULL);
    check_key("", "must begin with a key type");
    check_key("ssh-dss AAAAB3Nz", "must begin with a key type");
    check_key("ssh-ed255190 AAAAB3Nz", "must begin with a key type");
    check_key("command=\"x\" ssh-ed25519 AAAAC3Nz", "must begin with a key type");
    check_key("ssh-ed25519", "no valid key");
    check_key("ssh-ed25519 ", "no valid key");
    check_key("ssh-ed25519 AAAAC3N", "no valid key");
    check_key("ssh-ed25519 b3BlbnNzaC1r", "no valid key");
    check_key("ssh-ed25519 AAAAC3Nz\nssh-rsa AAAA", "one line");
    check_key("ssh-ed25519 AAAAC3Nz a\033[2J", "one line");
}
