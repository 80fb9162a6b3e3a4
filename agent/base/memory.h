/* Memory that is always there, what is freed at the end of scope, and sizes. */
#ifndef SLICENODE_BASE_MEMORY_H
#define SLICENODE_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

/* Cleanup at the end of scope. */
void cleanup_free(void *pointer_to_pointer);
void cleanup_close(int *fd);
#define CLEANUP_FREE __attribute__((cleanup(cleanup_free)))
#define CLEANUP_CLOSE __attribute__((cleanup(cleanup_close)))

/* Whether there is nothing but zeros; true for no bytes. Made for megabytes: musl compares byte by
 * byte. */
bool all_zero(const unsigned char *data, size_t length);

/* Allocation that exits the process when memory is out; the supervisor starts it again. */
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *pointer, size_t size);
char *xstrdup(const char *text);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
