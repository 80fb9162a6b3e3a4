/* Checks of the notations that the configuration and requests share: names, addresses, URLs, keys.
 * Each says whether a text is one; nothing is looked up. */
#ifndef SLICENODE_BASE_CHECK_H
#define SLICENODE_BASE_CHECK_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define HOSTNAME_BYTES 254
#define MAC_TEXT_BYTES 18
/* RSA of 16384 bits has 2.8 KiB; a certificate some more. Longer is refused. */
#define SSH_KEY_LIMIT 16384

/* An IPv4 or IPv6 address; `prefix` counts all its bits when none was given. */
struct address {
    int family; /* AF_INET or AF_INET6 */
    unsigned char bytes[16];
    unsigned prefix;
};

/* Dot-separated labels by RFC 1123. */
bool hostname_valid(const char *text);

/* Lower case and unicast. */
bool mac_valid(const char *text);

/* `10.0.2.1` or `fd00::1`, with and without a prefix length. */
bool address_parse(const char *text, struct address *address);
bool address_prefix_parse(const char *text, struct address *address);

/* Whether a host can have the address: not unspecified, loopback, multicast or, in IPv4, the first
 * or last of its network. */
bool address_of_host(const struct address *address);

/* Whether `other` is in the network of `address`. */
bool address_same_network(const struct address *address, const struct address *other);

/* http or https with a host and without user information, fragment or odd characters. The error
 * names the URL and what is wrong with it. */
int url_check(const char *url, struct err *err);

/* Standard base64 of one to `limit` bytes of text with its padding. */
bool base64_valid(const char *text, size_t limit);

/* One line of an authorized_keys file without options: TYPE BASE64 [COMMENT]. */
int ssh_key_check(const char *line, struct err *err);

#endif
