#include "watch/boot_check.h"

#include "base/err.h"

#include <string.h>

/* Of a line that is shown to people; the rest is cut. */
#define LINE_BYTES 200

/* What kernels print first. Anything else that keeps running is left alone: an unknown system is
 * not a failure. */
static const char *const kernel_marks[] = {"Linux version ", "Command line: ", "FreeBSD ",
                                           "NetBSD ",        "OpenBSD ",       "mirage-",
                                           "Mini-OS",        "Run /init",      "Starting kernel"};

/* GRUB's prompts, at the beginning of a line: nobody types there during a boot. */
static const char *const prompts[] = {"grub rescue>", "grub>"};

static bool contains(const char *text, size_t length, const char *part)
{
    return memmem(text, length, part, strlen(part));
}

/* Copies the line without escape sequences and control characters. */
static void clean_line(const char *line, size_t length, char clean[static LINE_BYTES])
{
    size_t used = 0;
    for (size_t i = 0; i < length && used + 1 < LINE_BYTES; i++) {
        unsigned char c = (unsigned char)line[i];
        if (c == 0x1b) {
            if (i + 1 < length && line[i + 1] == '[') {
                i += 2;
                while (i < length && (line[i] < '@' || line[i] > '~'))
                    i++;
            } else {
                i++;
            }
        } else if (c >= ' ' && c != 0x7f && (used > 0 || c != ' ')) {
            clean[used++] = (char)c;
        }
    }
    while (used > 0 && clean[used - 1] == ' ')
        used--;
    clean[used] = '\0';
}

struct findings {
    bool prompt_last; /* the last line that says anything is a prompt */
    char error[LINE_BYTES];
    char fatal[LINE_BYTES]; /* an error other than that of a search, which good boots show too */
    char last[LINE_BYTES];
};

static bool is_prompt(const char *line)
{
    for (size_t i = 0; i < sizeof(prompts) / sizeof(prompts[0]); i++)
        if (strncmp(line, prompts[i], strlen(prompts[i])) == 0)
            return true;
    return false;
}

static void read_lines(const char *console, size_t length, struct findings *found)
{
    const char *end = console + length;
    for (const char *line = console; line < end;) {
        const char *stop = line;
        while (stop < end && *stop != '\n' && *stop != '\r')
            stop++;
        char clean[LINE_BYTES];
        clean_line(line, (size_t)(stop - line), clean);
        if (clean[0]) {
            found->prompt_last = is_prompt(clean);
            if (!found->prompt_last)
                memcpy(found->last, clean, sizeof(clean));
            if (strncmp(clean, "error:", 6) == 0)
                memcpy(found->error, clean, sizeof(clean));
            if (strncmp(clean, "error:", 6) == 0 && !strstr(clean, "no such device"))
                memcpy(found->fatal, clean, sizeof(clean));
        }
        line = stop + 1;
    }
}

enum boot_verdict boot_check(const char *console, size_t length, bool ended, struct err *err)
{
    for (size_t i = 0; i < sizeof(kernel_marks) / sizeof(kernel_marks[0]); i++)
        if (contains(console, length, kernel_marks[i]))
            return BOOT_KERNEL_RUNS;
    struct findings found = {0};
    read_lines(console, length, &found);
    const char *said = found.error[0] ? found.error : found.last;
    if (found.prompt_last) {
        err_set(err, ERR_IMAGE_NOT_BOOTABLE,
                "the image has nothing to boot: the boot loader stopped at its prompt%s%s",
                said[0] ? " after: " : "", said);
        return BOOT_LOADER_FAILED;
    }
    /* Without an error of the loader it may have been a kernel that says nothing. */
    if (ended && found.fatal[0]) {
        err_set(err, ERR_IMAGE_NOT_BOOTABLE,
                "the image has nothing to boot: the slice ended before a kernel ran, after: %s",
                found.fatal);
        return BOOT_LOADER_FAILED;
    }
    return BOOT_UNKNOWN;
}
