#include "try.h"
#include "base/err.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static unsigned passed, failed;

bool try_check(bool ok, struct err *err, const char *format, ...)
{
    va_list arguments;

    if (ok) {
        passed++;
    } else {
        failed++;
        printf("FAILED: ");
        va_start(arguments, format);
        vprintf(format, arguments);
        va_end(arguments);
        printf("%s%s\n", err && err->code != ERR_NONE ? ": " : "",
               err && err->code != ERR_NONE ? err->message : "");
    }
    if (err)
        *err = (struct err){.code = ERR_NONE};
    fflush(stdout);
    return ok;
}

bool try_refused(int result, struct err *err, enum err_code code, const char *words)
{
    bool right = result < 0 && err->code == code && strstr(err->message, words);

    if (right)
        printf("refused as it should be: %s: %s\n", err_code_name(err->code), err->message);
    return try_check(right, err, "expected %s with \"%s\", got %d %s", err_code_name(code), words,
                     result, err_code_name(err->code));
}

void try_time(const char *what, uint64_t started_ms)
{
    printf("time: %s: %" PRIu64 " ms\n", what, monotonic_ms() - started_ms);
}

int try_end(const char *program)
{
    printf("%s: %u passed, %u failed\n", program, passed, failed);
    return failed == 0 ? 0 : 1;
}
