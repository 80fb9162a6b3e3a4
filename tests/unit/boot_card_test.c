/* Which card the machine has booted from. */
#include "base/memory.h"
#include "conf/boot_card.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TEST(boot_card_of_a_line)
{
    static const struct {
        const char *line, *card;
    } lines[] = {
        {"ro BOOTIF=01-52-54-00-AB-cd-ef quiet", "52:54:00:ab:cd:ef"},
        {"BOOTIF=01-52-54-00-ab-cd-ef\n", "52:54:00:ab:cd:ef"},
        {"xBOOTIF=01-52-54-00-ab-cd-ef", NULL},
        {"BOOTIF=20-52-54-00-ab-cd-ef", NULL},
        {"BOOTIF=01-52-54-00-ab-cd", NULL},
        {"BOOTIF=01-52-54-00-ab-cd-ef-00", NULL},
        {"BOOTIF=01-ff-ff-ff-ff-ff-ff", NULL},
        /* a variable of iPXE's that an old one does not know */
        {"BOOTIF=01-", NULL},
        {"", NULL},
        {NULL, NULL},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        CLEANUP_FREE char *card = boot_card_of_line(lines[i].line);
        CHECK_TEXT(lines[i].card, card);
    }
}

#define ACTIVE "01000000"
#define NAME "5000580045000000" /* PXE */
#define ROOT_BRIDGE "02010c00d041030a00000000"
#define DEVICE "0101060000 09"
#define CARD(kind) "030b2500525400abcdef0000000000000000000000000000000000000000000000000000" kind
#define IPV4 "030c1b000000000000000000000000000000000000000000000000"
#define END "7fff0400"

TEST(boot_card_of_an_option)
{
    static const struct {
        const char *option, *card;
    } options[] = {
        {ACTIVE "5600" NAME ROOT_BRIDGE DEVICE CARD("01") IPV4 END, "52:54:00:ab:cd:ef"},
        {ACTIVE "3b00" NAME ROOT_BRIDGE DEVICE CARD("00") END, "52:54:00:ab:cd:ef"},
        /* with data behind the path */
        {ACTIVE "3b00" NAME ROOT_BRIDGE DEVICE CARD("01") END "4eac0881", "52:54:00:ab:cd:ef"},
        /* no Ethernet, a disk, no path, one that is longer than the option, a node without length */
        {ACTIVE "3b00" NAME ROOT_BRIDGE DEVICE CARD("20") END, NULL},
        {ACTIVE "1600" NAME ROOT_BRIDGE DEVICE END, NULL},
        {ACTIVE "0000" NAME, NULL},
        {ACTIVE "ffff" NAME ROOT_BRIDGE DEVICE CARD("01"), NULL},
        {ACTIVE "0c00" NAME "02010000 d041030a00000000", NULL},
        {ACTIVE "2500"
                "500058004500",
         NULL},
        {ACTIVE, NULL},
        {"", NULL},
    };
    unsigned char bytes[256];

    for (size_t i = 0; i < ARRAY_LENGTH(options); i++) {
        size_t length = unit_hex(options[i].option, bytes);
        /* Of its own length, so that reading beyond it is seen. */
        CLEANUP_FREE unsigned char *exact = xcalloc(length + 1, 1);
        memcpy(exact, bytes, length);
        CLEANUP_FREE char *card = boot_card_of_option(exact, length);
        if (!CHECK_TEXT(options[i].card, card))
            puts(options[i].option);
        for (size_t cut = 0; cut < length; cut++)
            free(boot_card_of_option(memcpy(exact, bytes, cut), cut));
    }
}
