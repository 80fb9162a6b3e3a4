#include "base/text.h"

#include <stdio.h>
#include <string.h>

bool copy_text(char *to, size_t size, const char *from)
{
    size_t length = strlen(from);

    if (length >= size) {
        if (size > 0)
            to[0] = '\0';
        return false;
    }
    memcpy(to, from, length + 1);
    return true;
}

static bool continuation(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The length of the printable UTF-8 character that `text` begins with, or 0 when it is a control
 * character or no character at all. */
static size_t printable_character(const unsigned char *text)
{
    if (text[0] < 0x80)
        return text[0] >= 0x20 && text[0] != 0x7f ? 1 : 0;
    if (text[0] >= 0xc2 && text[0] <= 0xdf && continuation(text[1]))
        /* U+0080 to U+009f are control characters as well. */
        return text[0] == 0xc2 && text[1] < 0xa0 ? 0 : 2;
    if ((text[0] & 0xf0) == 0xe0 && continuation(text[1]) && continuation(text[2])) {
        bool overlong = text[0] == 0xe0 && text[1] < 0xa0;
        bool surrogate = text[0] == 0xed && text[1] >= 0xa0;
        return overlong || surrogate ? 0 : 3;
    }
    if (text[0] >= 0xf0 && text[0] <= 0xf4 && continuation(text[1]) && continuation(text[2]) &&
        continuation(text[3])) {
        bool overlong = text[0] == 0xf0 && text[1] < 0x90;
        bool beyond = text[0] == 0xf4 && text[1] >= 0x90;
        return overlong || beyond ? 0 : 4;
    }
    return 0;
}

void text_clean(char *text)
{
    while (*text) {
        size_t length = printable_character((const unsigned char *)text);
        if (length == 0) {
            *text = '?';
            length = 1;
        }
        text += length;
    }
}

bool text_valid(const char *text)
{
    while (*text) {
        size_t length = printable_character((const unsigned char *)text);
        if (length == 0)
            return false;
        text += length;
    }
    return true;
}

bool text_printable(const char *text, size_t limit)
{
    size_t length = 0;

    for (; text[length]; length++)
        if (text[length] < ' ' || text[length] > '~' || length == limit)
            return false;
    return length > 0;
}

struct quoted quoted(const char *value)
{
    enum { SHOWN = 48 };
    struct quoted result;
    bool cut = strlen(value) > SHOWN;

    snprintf(result.text, sizeof(result.text), "\"%.*s%s\"", SHOWN, value, cut ? "..." : "");
    text_clean(result.text);
    return result;
}
