/* Text from outside, made fit to be shown or refused. */
#ifndef SLICENODE_BASE_TEXT_H
#define SLICENODE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Copies a string into a buffer of `size` bytes; false when it did not fit (the buffer is then "").
 */
bool copy_text(char *to, size_t size, const char *from);

/* Makes text fit for a terminal, a log line and JSON: control characters and bytes that are not
 * UTF-8 become '?'. */
void text_clean(char *text);

/* Whether text_clean would leave it as it is. */
bool text_valid(const char *text);

/* One to `limit` bytes of printable ASCII (space to '~'). */
bool text_printable(const char *text, size_t limit);

/* A value from outside as an error message shows it: clean, in double quotes, shortened. Used as
 * `quoted(value).text` in a call's arguments. */
struct quoted {
    char text[72];
};
struct quoted quoted(const char *value);

#endif
