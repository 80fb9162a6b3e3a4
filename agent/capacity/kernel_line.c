#include "capacity/kernel_line.h"

#include "base/memory.h"
#include "base/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_WORDS " error, dev "
#define FIRMWARE_WORDS ": Direct firmware load for "

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* The text behind "3,812,93,-;": the first number is facility * 8 + level, and facility 0 is the
 * kernel; anybody who may write to /dev/kmsg gets another one. NULL: not of the kernel. */
static const char *kernel_text(const char *line)
{
    char *end;
    unsigned long priority = strtoul(line, &end, 10);
    const char *text = strchr(line, ';');

    if (end == line || *end != ',' || !text)
        return line;
    return priority < 8 ? text + 1 : NULL;
}

/* --- Disks ------------------------------------------------------------------------------------ */

/* Linux's block layer has a word for each status that a request can end with. What is not
 * listed here says nothing of a disk: the kernel asks what a disk can do by trying ("operation not
 * supported"), runs out of something itself, or was asked for nonsense. */
static const struct {
    const char *word;
    bool of_medium; /* tells of the disk whatever was asked of it */
} statuses[] = {
    {"I/O", false},
    {"critical medium", true},
    {"critical target", false},
    {"critical space allocation", false},
    {"recoverable transport", false},
    {"critical nexus", false}, /* until Linux 5 what is "reservation conflict" now */
    {"reservation conflict", false},
    {"protection", true},
    {"timeout", false},
    {"device offline", false},
};

/* What is not among them is a wish (discard, write zeroes, write same, secure erase): the kernel
 * does without it. Lines of kernels before 5.3 do not say what was asked. */
static bool is_read_or_write(const char *rest)
{
    static const char *const operations[] = {"READ", "WRITE", "FLUSH", "ZONE_APPEND"};
    const char *name = strchr(rest, '(');
    size_t length;

    if (!name)
        return true;
    length = strcspn(++name, ")");
    for (size_t i = 0; i < ARRAY_LENGTH(operations); i++)
        if (strlen(operations[i]) == length && strncmp(operations[i], name, length) == 0)
            return true;
    return false;
}

/* No disks, or parts of one that only answer to special commands. */
static bool is_disk(const char *name)
{
    static const char *const others[] = {"sr",  "scd", "fd",  "loop", "ram",  "zram", "nbd",
                                         "dm-", "md",  "mtd", "drbd", "ublk", "rbd"};

    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        if (begins(name, others[i]))
            return false;
    return !(begins(name, "mmcblk") && (strstr(name, "boot") || strstr(name, "rpmb")));
}

static const char *after_prefix(const char *text)
{
    static const char *const prefixes[] = {
        "blk_update_request: ", "print_req_error: ", "end_request: "};

    for (size_t i = 0; i < ARRAY_LENGTH(prefixes); i++)
        if (begins(text, prefixes[i]))
            return text + strlen(prefixes[i]);
    return text;
}

/* "critical medium error, dev sdb, sector 4711 op 0x0:(READ) flags 0x80700 phys_seg 1 prio ..." */
static bool read_disk_error(const char *text, struct kernel_line *found)
{
    const char *status = after_prefix(text);
    const char *at = strstr(status, ERROR_WORDS);
    int end = 0;

    if (!at || sscanf(at, ERROR_WORDS "%31[a-z0-9], sector %" SCNu64 "%n", found->device,
                      &found->sector, &end) != 2)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(statuses); i++) {
        if (strlen(statuses[i].word) != (size_t)(at - status) || !begins(status, statuses[i].word))
            continue;
        if (!is_disk(found->device) || (!statuses[i].of_medium && !is_read_or_write(at + end)))
            return false;
        found->is_flush = strstr(at + end, "(FLUSH)") != NULL;
        found->news =
            strcmp(statuses[i].word, "device offline") == 0 ? KERNEL_DISK_GONE : KERNEL_DISK_ERROR;
        return true;
    }
    return false;
}

/* --- Firmware --------------------------------------------------------------------------------- */

/* "bnx2 0000:03:00.0: Direct firmware load for bnx2/bnx2-mips-09-6.2.1b.fw failed with error -2" */
static bool read_firmware(const char *text, struct kernel_line *found)
{
    const char *at = strstr(text, FIRMWARE_WORDS);

    /* Others than -2, "there is none", are no matter of what the image has. */
    if (!at || !strstr(at, " failed with error -2") ||
        sscanf(at, FIRMWARE_WORDS "%127[!-~]", found->file) != 1 ||
        sscanf(text, "%31[!-9;-~] %31[!-~]", found->driver, found->device) != 2)
        return false;
    found->device[strcspn(found->device, "\n")] = '\0';
    /* The colon that ends the device is the one that FIRMWARE_WORDS begins with. */
    if (found->device[0] && found->device[strlen(found->device) - 1] == ':')
        found->device[strlen(found->device) - 1] = '\0';
    found->news = KERNEL_FIRMWARE_MISSING;
    return true;
}

/* --- Memory, processors, buses ---------------------------------------------------------------- */

/* "{1}[Hardware Error]: event severity: corrected": once for each report of the firmware's. */
static bool read_hardware_error(const char *text, struct kernel_line *found)
{
    const char *at = strstr(text, "[Hardware Error]: event severity: ");

    if (!at)
        return false;
    at += strlen("[Hardware Error]: event severity: ");
    if (begins(at, "info"))
        return false;
    found->is_corrected = begins(at, "corrected");
    found->news = KERNEL_HARDWARE_ERROR;
    return true;
}

struct kernel_line kernel_line_read(const char *line)
{
    struct kernel_line found = {.news = KERNEL_NO_NEWS};
    const char *text = kernel_text(line);

    if (text && !read_disk_error(text, &found) && !read_firmware(text, &found))
        read_hardware_error(text, &found);
    return found;
}
