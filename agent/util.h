/* Small things that every module needs: cleanup attributes, memory, files, time, identifiers. */
#ifndef SLICENODE_UTIL_H
#define SLICENODE_UTIL_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UUID_TEXT_BYTES 37 /* 36 characters and the terminator */
#define TIME_TEXT_BYTES 25 /* 2026-01-02T03:04:05.678Z and the terminator */
#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

/* Cleanup at the end of scope. */
void cleanup_free(void *pointer_to_pointer);
void cleanup_close(int *fd);
#define CLEANUP_FREE __attribute__((cleanup(cleanup_free)))
#define CLEANUP_CLOSE __attribute__((cleanup(cleanup_close)))

/* Allocation that exits the process when memory is out; the supervisor starts it again. */
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *pointer, size_t size);
char *xstrdup(const char *text);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

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

/* Reads a whole file of at most `limit` bytes; the result is terminated and owned by the caller. */
int read_file(const char *path, size_t limit, char **text, size_t *length, struct err *err);

/* Makes what was entered in a folder or taken out of it outlive a power cut. */
int sync_folder(const char *folder, struct err *err);

/* Waits until nobody else has locked this file or folder, then locks it (flock) until the result is closed: the
 * descriptor, or -1. */
int open_locked(const char *path, struct err *err);

/* Replaces a file as one step (hidden temporary file, fsync, rename, fsync of the folder). One
 * writer per file at a time. */
int write_file(const char *path, const void *data, size_t length, unsigned mode, struct err *err);

/* Whole reads and writes across short counts and EINTR; -1 with errno, or the bytes before EOF. */
long read_full(int fd, void *data, size_t length);
int write_full(int fd, const void *data, size_t length);

uint64_t monotonic_ms(void);
/* Milliseconds since 1970, UTC. */
int64_t wall_ms(void);
void time_format(int64_t wall_time_ms, char text[static TIME_TEXT_BYTES]);
/* RFC 3339 with `Z`; -1 when malformed. */
int time_parse(const char *text, int64_t *wall_time_ms);

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
