#include "base/err.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const code_names[ERR_COUNT] = {
#define X(name, text) [ERR_##name] = (text),
    ERR_CODES(X)
#undef X
};

static void format_message(struct err *err, enum err_code code, const char *format,
                           va_list arguments) __attribute__((format(printf, 3, 0)));

/* Messages travel to terminals, logs and JSON, and often quote what came from outside; so they are
 * made clean here, once. The text is built aside because an argument may be err's own message. */
static void format_message(struct err *err, enum err_code code, const char *format,
                           va_list arguments)
{
    char message[ERR_MESSAGE_BYTES];

    vsnprintf(message, sizeof(message), format, arguments);
    text_clean(message);
    err->code = code;
    memcpy(err->message, message, sizeof(message));
}

int err_set(struct err *err, enum err_code code, const char *format, ...)
{
    va_list arguments;

    if (err) {
        va_start(arguments, format);
        format_message(err, code, format, arguments);
        va_end(arguments);
    }
    return -1;
}

int err_errno(struct err *err, enum err_code code, int error_number, const char *format, ...)
{
    struct err context;
    va_list arguments;

    if (err) {
        va_start(arguments, format);
        format_message(&context, code, format, arguments);
        va_end(arguments);
        err_set(err, code, "%s: %s", context.message, strerror(error_number));
    }
    return -1;
}

int err_context(struct err *err, const char *format, ...)
{
    struct err context;
    va_list arguments;

    if (err) {
        va_start(arguments, format);
        format_message(&context, err->code, format, arguments);
        va_end(arguments);
        err_set(err, err->code, "%s: %s", context.message, err->message);
    }
    return -1;
}

const char *err_code_name(enum err_code code)
{
    return (unsigned)code < ERR_COUNT ? code_names[code] : code_names[ERR_INTERNAL];
}

enum err_code err_code_from_name(const char *name)
{
    for (unsigned code = 0; code < ERR_COUNT; code++)
        if (name && strcmp(code_names[code], name) == 0)
            return (enum err_code)code;
    return ERR_INTERNAL;
}
