/* Identifiers: UUIDs, random bytes, hexadecimal. */
#ifndef SLICENODE_BASE_IDENT_H
#define SLICENODE_BASE_IDENT_H

#include <stdbool.h>
#include <stddef.h>

#define UUID_TEXT_BYTES 37 /* 36 characters and the terminator */

/* A lower-case UUID in its 36-character form. */
bool uuid_valid(const char *text);
/* A random (version 4) UUID. */
void uuid_make(char text[static UUID_TEXT_BYTES]);
void random_bytes(void *data, size_t length);

/* Lower-case hexadecimal of exactly `bytes` bytes. */
bool hex_valid(const char *text, size_t bytes);
/* Writes `count` bytes as lower-case hexadecimal; `text` holds 2 * count + 1 characters. */
void hex_write(char *text, const unsigned char *bytes, size_t count);

#endif
