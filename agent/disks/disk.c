#include "disks/disk.h"

#include <stdarg.h>
#include <stdio.h>

const char *disk_state_name(enum disk_state state)
{
    static const char *const names[DISK_STATE_COUNT] = {
        [DISK_CLAIMED] = "claimed",       [DISK_FOREIGN] = "foreign",
        [DISK_UNREADABLE] = "unreadable", [DISK_DUPLICATE] = "duplicate",
        [DISK_MEDIUM] = "medium",         [DISK_FAILED] = "failed",
        [DISK_TOO_SMALL] = "too_small",   [DISK_READONLY] = "readonly",
        [DISK_UNUSED] = "unused",
    };

    return names[state];
}

void disk_judge(struct disk *disk, enum disk_state state, const char *format, ...)
{
    va_list arguments;

    disk->state = state;
    disk->action = ACTION_NONE;
    va_start(arguments, format);
    vsnprintf(disk->reason, sizeof(disk->reason), format, arguments);
    va_end(arguments);
}
