/* Judges from a slice's console whether its boot loader found something to boot. Pure. */
#ifndef SLICENODE_WATCH_BOOT_CHECK_H
#define SLICENODE_WATCH_BOOT_CHECK_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum boot_verdict {
    BOOT_UNKNOWN, /* nothing that decides: look again later */
    BOOT_KERNEL_RUNS,
    BOOT_LOADER_FAILED /* `err` says image_not_bootable and what the loader said */
};

/* `console` is what the slice has printed since its domain was started; `ended` says that the
 * domain has shut down or crashed. */
enum boot_verdict boot_check(const char *console, size_t length, bool ended, struct err *err);

#endif
