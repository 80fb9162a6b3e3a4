/* Identifiers and random numbers. */
#include "base/ident.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static bool hex_digit(char character)
{
    return (character >= '0' && character <= '9') || (character >= 'a' && character <= 'f');
}

bool hex_valid(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes * 2; i++)
        if (!hex_digit(text[i]))
            return false;
    return text[bytes * 2] == '\0';
}

void hex_write(char *text, const unsigned char *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < count; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[2 * count] = '\0';
}

bool uuid_valid(const char *text)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    for (size_t i = 0; i < sizeof(shape) - 1; i++)
        if (shape[i] == '-' ? text[i] != '-' : !hex_digit(text[i]))
            return false;
    return text[sizeof(shape) - 1] == '\0';
}

void random_bytes(void *data, size_t length)
{
    size_t done = 0;

    while (done < length) {
        ssize_t got = getrandom((char *)data + done, length - done, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            /* Every kernel that we run on has it; going on with guessable bytes is no option. */
            perror("getrandom");
            abort();
        }
        done += (size_t)got;
    }
}

void uuid_make(char text[static UUID_TEXT_BYTES])
{
    unsigned char b[16];

    random_bytes(b, sizeof(b));
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    snprintf(text, UUID_TEXT_BYTES,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
}
