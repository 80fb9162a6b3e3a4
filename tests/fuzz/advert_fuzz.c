/* Router advertisements, one after the other: two bytes of seconds between them and a byte of
 * length in units of 8, then the packet from its IPv6 header on. */
#include "base/text.h"
#include "fuzz.h"
#include "ip6/host.h"
#include "ip6/names.h"
#include "ip6/tell.h"

#include <stdlib.h>
#include <string.h>

static void check(const struct host *host, uint64_t now)
{
    char *told = host_tell(host, now & 1024, "xenbr0", "eth0");

    REQUIRE(text_valid(host->odd));
    REQUIRE(host->address_count <= ADDRESSES_MAX && host->route_count <= ROUTES_MAX);
    REQUIRE(host->server_count <= SERVERS_MAX && host->name_count <= NAMES_MAX);
    REQUIRE(host_next_end(host) > now);
    for (unsigned i = 0; i < host->address_count; i++) {
        REQUIRE(host->addresses[i].preferred_until <= host->addresses[i].valid_until);
        REQUIRE(is_usable(&host->addresses[i].address));
    }
    for (unsigned i = 0; i < host->name_count; i++)
        REQUIRE(hostname_valid(host->names[i].name));
    REQUIRE(strlen(told) > 3 && strcmp(told + strlen(told) - 4, "end\n") == 0);
    for (char *line = strtok(told, "\n"); line; line = strtok(NULL, "\n"))
        REQUIRE(text_valid(line));
    free(told);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct host host;
    struct advert advert;
    struct err err;
    uint64_t now = 1;

    host_begin(&host, (const unsigned char[6]){0x52, 0x54, 0, 1, 2, 3});
    while (size > 3) {
        size_t length = data[2] * 8u;
        unsigned char *packet; /* of its own length, so that reading beyond it is seen */

        now += (uint64_t)(data[0] << 8 | data[1]) * 1000;
        data += 3;
        size -= 3;
        if (length > size)
            length = size;
        packet = malloc(length + 1);
        REQUIRE(packet);
        memcpy(packet, data, length);
        if (advert_read(packet, length, true, &advert, &err) == 0) {
            REQUIRE(is_link_local(&advert.router));
            REQUIRE(host_take(&host, &advert, now, &err) == 0);
        } else {
            REQUIRE(text_valid(err.message));
        }
        free(packet);
        data += length;
        size -= length;
        host_expire(&host, now);
        check(&host, now);
    }
    return 0;
}
