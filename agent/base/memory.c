#include "base/memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_OUT_OF_MEMORY 111

void cleanup_free(void *pointer_to_pointer)
{
    void *pointer;

    memcpy(&pointer, pointer_to_pointer, sizeof(pointer));
    free(pointer);
}

void cleanup_close(int *fd)
{
    int saved = errno;

    if (*fd >= 0)
        close(*fd);
    errno = saved;
}

/* Four registers at a time, wherever they begin. */
typedef uint64_t lane __attribute__((vector_size(16), aligned(1), may_alias));

bool all_zero(const unsigned char *data, size_t length)
{
    for (; length >= 64; data += 64, length -= 64) {
        const lane *lanes = (const lane *)data;
        lane any = (lanes[0] | lanes[1]) | (lanes[2] | lanes[3]);
        if ((any[0] | any[1]) != 0)
            return false;
    }
    for (; length > 0; data++, length--)
        if (*data != 0)
            return false;
    return true;
}

static void *checked(void *pointer)
{
    static const char message[] = "out of memory\n";

    if (!pointer) {
        (void)!write(STDERR_FILENO, message, sizeof(message) - 1);
        _exit(EXIT_OUT_OF_MEMORY);
    }
    return pointer;
}

void *xcalloc(size_t count, size_t size)
{
    if (count == 0 || size == 0)
        count = size = 1;
    return checked(calloc(count, size));
}

void *xrealloc(void *pointer, size_t size)
{
    return checked(realloc(pointer, size ? size : 1));
}

char *xstrdup(const char *text)
{
    return checked(strdup(text));
}

char *xasprintf(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vasprintf(&text, format, arguments);
    va_end(arguments);
    return checked(length < 0 ? NULL : text);
}
