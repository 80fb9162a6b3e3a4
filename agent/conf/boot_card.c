#include "conf/boot_card.h"

#include "base/check.h"
#include "base/memory.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

char *boot_card_of_line(const char *line)
{
    static const char key[] = "BOOTIF=01-";
    char mac[MAC_TEXT_BYTES];
    const char *found = line ? strstr(line, key) : NULL;

    if (!found || (found > line && found[-1] != ' ') ||
        strcspn(found + sizeof(key) - 1, " \n") != MAC_TEXT_BYTES - 1)
        return NULL;
    snprintf(mac, sizeof(mac), "%s", found + sizeof(key) - 1);
    for (char *character = mac; *character; character++)
        *character = (char)(*character == '-' ? ':' : tolower((unsigned char)*character));
    return mac_valid(mac) ? xstrdup(mac) : NULL;
}

static size_t read_16(const unsigned char *at)
{
    return (size_t)(at[0] | at[1] << 8);
}

/* A node of a device path: type, subtype and length, then what it says. */
enum {
    NODE_HEADER = 4,
    NODE_MESSAGING = 3,
    NODE_MAC = 11,
    NODE_MAC_BYTES = 37,
    NODE_MAC_KIND = 36
};

/* The first card on it: behind that stand protocols and addresses. */
static char *card_of_path(const unsigned char *path, size_t length)
{
    while (length >= NODE_HEADER) {
        size_t node = read_16(path + 2);
        if (node < NODE_HEADER || node > length)
            return NULL;
        /* 1 is Ethernet; some firmware says 0. */
        if (path[0] == NODE_MESSAGING && path[1] == NODE_MAC && node >= NODE_MAC_BYTES &&
            path[NODE_MAC_KIND] <= 1) {
            const unsigned char *mac = path + NODE_HEADER;
            char text[MAC_TEXT_BYTES];
            snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                     mac[3], mac[4], mac[5]);
            return mac_valid(text) ? xstrdup(text) : NULL;
        }
        path += node;
        length -= node;
    }
    return NULL;
}

char *boot_card_of_option(const unsigned char *option, size_t length)
{
    size_t path, at = 6; /* attributes, then the length of the path */

    if (length < at)
        return NULL;
    path = read_16(option + 4);
    /* The name, in UTF-16. */
    while (at + 2 <= length && (option[at] || option[at + 1]))
        at += 2;
    at += 2;
    if (at > length || path > length - at)
        return NULL;
    return card_of_path(option + at, path);
}
