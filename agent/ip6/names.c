#include "ip6/names.h"

#include "base/check.h"

#include <string.h>

struct address_text text_of(const struct in6_addr *address)
{
    struct address_text text;

    inet_ntop(AF_INET6, address, text.text, sizeof(text.text));
    return text;
}

uint16_t read_16(const unsigned char *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

uint32_t read_32(const unsigned char *at)
{
    return (uint32_t)read_16(at) << 16 | read_16(at + 2);
}

bool is_any(const struct in6_addr *address)
{
    return memcmp(address, &in6addr_any, sizeof(*address)) == 0;
}

bool is_link_local(const struct in6_addr *address)
{
    return address->s6_addr[0] == 0xfe && (address->s6_addr[1] & 0xc0) == 0x80;
}

bool is_usable(const struct in6_addr *address)
{
    struct address host = {.family = AF_INET6, .prefix = 128};

    memcpy(host.bytes, address, sizeof(host.bytes));
    return address_of_host(&host);
}

size_t name_take(const unsigned char *labels, size_t length, char name[static HOSTNAME_BYTES])
{
    size_t at = 0, written = 0;

    name[0] = '\0';
    while (at < length && labels[at] != 0) {
        size_t label = labels[at];
        if (label > 63 || at + 1 + label > length) {
            name[0] = '\0';
            return 0;
        }
        if (written + label + 2 < HOSTNAME_BYTES) {
            if (written > 0)
                name[written++] = '.';
            memcpy(name + written, labels + at + 1, label);
            written += label;
            name[written] = '\0';
        } else {
            written = HOSTNAME_BYTES; /* and nothing more is added to it */
        }
        at += 1 + label;
    }
    /* Labels that hold a zero end early as a text. */
    if (written >= HOSTNAME_BYTES || strlen(name) != written || !hostname_valid(name))
        name[0] = '\0';
    /* The empty label ends a name; zeros that fill an option up are empty names, and end it. */
    return at == 0 || at >= length ? 0 : at + 1;
}

uint16_t checksum_of(const struct in6_addr *from, const struct in6_addr *to, uint8_t protocol,
                     const unsigned char *payload, size_t length)
{
    uint32_t sum = (uint32_t)length + protocol;

    for (size_t i = 0; i < 16; i += 2)
        sum += (uint32_t)read_16(from->s6_addr + i) + read_16(to->s6_addr + i);
    for (size_t i = 0; i + 1 < length; i += 2)
        sum += read_16(payload + i);
    if (length % 2 == 1)
        sum += (uint32_t)payload[length - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}
