/* Which network card the machine has booted from, by its MAC address. What says so is outside data.
 * Pure. */
#ifndef SLICENODE_CONF_BOOT_CARD_H
#define SLICENODE_CONF_BOOT_CARD_H

#include <stddef.h>

/* By `BOOTIF=01-52-54-00-ab-cd-ef` on a command line (NULL: there is none), as our script for iPXE
 * and pxelinux (IPAPPEND 2) write it; 01 is Ethernet. Owned; NULL: it does not say. */
char *boot_card_of_line(const char *line);

/* By the device path of the boot option that UEFI has followed: an EFI_LOAD_OPTION as it stands in
 * the variable, without what Linux puts before it. Owned; NULL: no card. */
char *boot_card_of_option(const unsigned char *option, size_t length);

#endif
