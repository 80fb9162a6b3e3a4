#include "backend/xen/log.h"

#include "backend/xen/xen.h"
#include "base/err.h"
#include "base/log.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* A word that ends with a colon, and what follows it; NULL when the text does not begin so. */
static const char *skip_word(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");

    if (length == 0 || text[length] != ':')
        return NULL;
    text += length + 1;
    return text + strspn(text, " ");
}

/* libxl puts "libxl_nic.c:123:nic_add:" before what it has to say, libxc "panic: xg_dom.c:45: f: ".
 * The place is of no use to an operator. */
static const char *skip_place(const char *text)
{
    const char *file = strncmp(text, "panic: ", 7) == 0 ? text + 7 : text;
    const char *line = skip_word(file);
    const char *function = line && isdigit((unsigned char)*line) ? skip_word(line) : NULL;

    if (!function)
        return text;
    const char *message = skip_word(function);
    return message ? message : function;
}

static void keep_error(struct be_xen_log *log, const char *text)
{
    size_t used = strlen(log->errors);

    if (strstr(log->errors, text))
        return;
    snprintf(log->errors + used, sizeof(log->errors) - used, "%s%s", used ? "; " : "", text);
}

static enum log_level level_of(xentoollog_level level)
{
    if (level >= XTL_ERROR)
        return LOG_LEVEL_WARNING; /* whether it is an error is for the request to say */
    if (level >= XTL_WARN)
        return LOG_LEVEL_INFO;
    return LOG_LEVEL_DEBUG;
}

__attribute__((format(printf, 5, 0))) static void say(xentoollog_logger *logger,
                                                      xentoollog_level level, int error_number,
                                                      const char *context, const char *format,
                                                      va_list arguments)
{
    struct be_xen_log *log = (struct be_xen_log *)logger;
    char text[FOUND_TEXT_BYTES];

    vsnprintf(text, sizeof(text), format, arguments);
    if (error_number >= 0) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof(text) - used, ": %s", strerror(error_number));
    }
    text[strcspn(text, "\n")] = '\0';
    const char *message = skip_place(text);
    log_write(level_of(level), "%s: %s", context ? context : "xen", message);
    if (level >= XTL_ERROR)
        keep_error(log, message);
}

static void progress(xentoollog_logger *logger, const char *context, const char *what, int percent,
                     unsigned long done, unsigned long total)
{
    (void)logger;
    (void)context;
    (void)what;
    (void)percent;
    (void)done;
    (void)total;
}

void be_xen_log_init(struct be_xen_log *log)
{
    log->base = (xentoollog_logger){.vmessage = say, .progress = progress, .destroy = NULL};
    log->errors[0] = '\0';
}

void be_xen_forget(struct be_xen *xen)
{
    xen->log.errors[0] = '\0';
}

int be_xen_fail(struct be_xen *xen, struct err *err, int code, const char *what, const char *slice)
{
    enum err_code kind = ERR_HYPERVISOR_ERROR;

    if (code == ERROR_NOMEM)
        kind = ERR_INSUFFICIENT_MEMORY;
    else if (code == ERROR_TIMEDOUT)
        kind = ERR_TIMEOUT;
    else if (strstr(xen->log.errors, "no loader found"))
        kind = ERR_IMAGE_NOT_BOOTABLE; /* the kernel is none that Xen can start */
    return err_set(err, kind, "cannot %s%s%s: %s", what, slice ? " slice " : "", slice ? slice : "",
                   xen->log.errors[0] ? xen->log.errors : libxl_error_to_string(code));
}
