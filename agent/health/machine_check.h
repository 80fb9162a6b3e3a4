/* What Xen tells dom0 of errors of memory, processors and buses (machine checks). */
#ifndef SLICENODE_HEALTH_MACHINE_CHECK_H
#define SLICENODE_HEALTH_MACHINE_CHECK_H

#include <stddef.h>

/* Of /dev/mcelog as dom0's kernel fills it: so many records of so many bytes,
 * to be read at once. */
#define MACHINE_CHECKS_MAX 32
#define MACHINE_CHECK_BYTES 112

struct machine_checks {
    unsigned corrected, uncorrected;
    unsigned bank, socket; /* of the last one */
};

/* Adds what was read to what was found before. Pure. */
void machine_checks_add(struct machine_checks *found, const void *records, size_t length);

#endif
