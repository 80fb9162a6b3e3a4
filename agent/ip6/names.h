/* Addresses and names as they stand in packets of IPv6. Pure. */
#ifndef SLICENODE_IP6_NAMES_H
#define SLICENODE_IP6_NAMES_H

#include "base/check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An address as text, used as `text_of(&address).text` in a call's arguments. */
struct address_text {
    char text[INET6_ADDRSTRLEN];
};
struct address_text text_of(const struct in6_addr *address);

/* Big-endian numbers. */
uint16_t read_16(const unsigned char *at);
uint32_t read_32(const unsigned char *at);

/* Whether it is ::, which stands for none. */
bool is_any(const struct in6_addr *address);
bool is_link_local(const struct in6_addr *address);
/* What one host can have and others can send to. */
bool is_usable(const struct in6_addr *address);

/* Takes the next domain name off labels as DNS writes them, without pointers: its text, and how
 * many bytes it took. 0 when there is none any more; `name` is "" when it is none that can be
 * asked for. */
size_t name_take(const unsigned char *labels, size_t length, char name[static HOSTNAME_BYTES]);

/* The Internet checksum of an IPv6 packet's payload with its pseudo-header: 0 when the one in the
 * payload is right. */
uint16_t checksum_of(const struct in6_addr *from, const struct in6_addr *to, uint8_t protocol,
                     const unsigned char *payload, size_t length);

#endif
