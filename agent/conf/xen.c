#include "base/err.h"
#include "base/memory.h"
#include "base/text.h"
#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS "0123456789"
/* dom0's kernel is built for so many (hv/linux/config); Xen would give it more, and it would not
 * start them. */
#define DOM0_VCPUS_MAX 64
/* Less does not hold the image and a hundred slices' back ends. Ten times the upper bound is more
 * than any machine has; what dom0 gets the slices do not. */
#define DOM0_MEM_MIN_MIB 128ul
#define DOM0_MEM_MAX_MIB (64ul << 10)
#define SPEC_CTRL_LIMIT 200 /* of the 1023 bytes that Xen keeps of its whole command line */

static int refuse_xen(struct err *err, const char *value, const char *what)
{
    return err_set(err, ERR_CONF_INVALID, "%s %s", quoted(value).text, what);
}

static bool is_one_of(const char *value, const char *const words[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(value, words[i]) == 0)
            return true;
    return false;
}

int conf_check_smt(char *value, struct err *err)
{
    static const char *const words[] = {"on", "off"};
    return is_one_of(value, words, ARRAY_LENGTH(words))
               ? 0
               : refuse_xen(err, value, "must be on or off");
}

int conf_check_sched_gran(char *value, struct err *err)
{
    static const char *const words[] = {"cpu", "core", "socket"};
    return is_one_of(value, words, ARRAY_LENGTH(words))
               ? 0
               : refuse_xen(err, value, "must be cpu, core or socket");
}

/* Its words are Xen's own and change with its versions: here only what could break the line. */
int conf_check_spec_ctrl(char *value, struct err *err)
{
    size_t length = strlen(value);

    if (length == 0 || length > SPEC_CTRL_LIMIT ||
        value[strspn(value, "abcdefghijklmnopqrstuvwxyz" DIGITS "=,-")] != '\0')
        return refuse_xen(err, value,
                          "must be words of Xen's spec-ctrl, such as no or xen=no-verw,ibpb");
    return 0;
}

int conf_check_dom0_mem(char *value, struct err *err)
{
    char *end;
    unsigned long number = strtoul(value, &end, 10);
    size_t digits = strspn(value, DIGITS);
    unsigned long mib = *end == 'G' ? number << 10 : number;

    if (digits == 0 || digits > 6 || (strcmp(end, "M") != 0 && strcmp(end, "G") != 0) ||
        mib < DOM0_MEM_MIN_MIB || mib > DOM0_MEM_MAX_MIB)
        return err_set(err, ERR_CONF_INVALID, "%s must be a size from %luM to %luG, such as 512M",
                       quoted(value).text, DOM0_MEM_MIN_MIB, DOM0_MEM_MAX_MIB >> 10);
    return 0;
}

static bool is_vcpus(const char *text, size_t length, unsigned long *number)
{
    *number = strtoul(text, NULL, 10);
    return length > 0 && length < 3 && strspn(text, DIGITS) >= length && *number >= 1 &&
           *number <= DOM0_VCPUS_MAX;
}

/* N, or MIN-MAX: as many as the machine has processors, within these. */
int conf_check_dom0_max_vcpus(char *value, struct err *err)
{
    size_t first = strcspn(value, "-");
    unsigned long least, most;

    if (!is_vcpus(value, first, &least) ||
        (value[first] &&
         (!is_vcpus(value + first + 1, strlen(value + first + 1), &most) || most < least)))
        return err_set(err, ERR_CONF_INVALID, "%s must be a number from 1 to %d, or two: 1-4",
                       quoted(value).text, DOM0_VCPUS_MAX);
    return 0;
}

static bool is_speed(const char *text)
{
    static const char *const speeds[] = {"1200",  "2400",   "4800",   "9600",   "19200", "38400",
                                         "57600", "115200", "230400", "460800", "921600"};
    return text && is_one_of(text, speeds, ARRAY_LENGTH(speeds));
}

static bool is_number(const char *text)
{
    size_t hex = strncmp(text, "0x", 2) == 0 ? 2 : 0;
    size_t length = strlen(text + hex);
    return length > 0 && length <= 4 &&
           strspn(text + hex, hex ? DIGITS "abcdefABCDEF" : DIGITS) == length;
}

/* none, or PORT,SPEED[,FORMAT[,IO-BASE[,IRQ]]]: what Xen's com1= takes after the port's name. */
int conf_check_serial(char *value, struct err *err)
{
    CLEANUP_FREE char *copy = xstrdup(value);
    char *rest = copy, *format, *number;
    const char *port;

    if (strcmp(value, "none") == 0)
        return 0;
    port = strsep(&rest, ",");
    if (strcmp(port, "com1") != 0 && strcmp(port, "com2") != 0)
        return refuse_xen(err, value, "must be none, or begin with com1 or com2");
    if (!is_speed(strsep(&rest, ",")))
        return refuse_xen(err, value, "must have a speed behind the port, such as com1,115200");
    format = strsep(&rest, ",");
    if (format && (strlen(format) != 3 || !strchr("5678", format[0]) ||
                   !strchr("noems", format[1]) || !strchr("12", format[2])))
        return refuse_xen(err, value, "must have a format such as 8n1 behind the speed");
    for (unsigned i = 0; (number = strsep(&rest, ",")); i++)
        if (i == 2 || !is_number(number))
            return refuse_xen(err, value,
                              "may end with an I/O port and an interrupt, such as 0x3f8,4");
    return 0;
}
