/* Files as a whole, and what outlives a power cut. */
#ifndef SLICENODE_BASE_FILE_H
#define SLICENODE_BASE_FILE_H

#include "base/err.h"

#include <stddef.h>

/* Reads a whole file of at most `limit` bytes; the result is terminated and owned by the caller. */
int read_file(const char *path, size_t limit, char **text, size_t *length, struct err *err);

/* The same: 1, or 0 when there is no such file. One that cannot be read is not one that is not
 * there. */
int read_file_if_there(const char *path, size_t limit, char **text, size_t *length,
                       struct err *err);

/* Makes what was entered in a folder or taken out of it outlive a power cut. */
int sync_folder(const char *folder, struct err *err);

/* Waits until nobody else has locked this file or folder, then locks it (flock) until the result
 * is closed: the descriptor, or -1. */
int open_locked(const char *path, struct err *err);

/* Replaces a file as one step (hidden temporary file, fsync, rename, fsync of the folder). One
 * writer per file at a time. */
int write_file(const char *path, const void *data, size_t length, unsigned mode, struct err *err);

/* Whole reads and writes across short counts and EINTR; -1 with errno, or the bytes before EOF. */
long read_full(int fd, void *data, size_t length);
int write_full(int fd, const void *data, size_t length);

#endif
