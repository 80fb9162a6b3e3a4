#include "import/scratch.h"

#include "base/err.h"
#include "base/memory.h"
#include "import/format.h"
#include "import/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int scratch_open(struct format *format, struct err *err)
{
    if (!format->scratch)
        return err_set(err, ERR_INTERNAL, "there is no scratch volume for a %s image",
                       format->type->name);
    return 0;
}

int scratch_feed(struct format *format, const void *data, size_t length, struct err *err)
{
    if (output_write(format->scratch, format->taken_bytes, data, length, err) < 0)
        return err_context(err, "the %s file", format->type->name);
    format->taken_bytes += length;
    return 0;
}

int scratch_check(const struct format *format, uint64_t at, uint64_t length, const char *what,
                  struct err *err)
{
    if (at > format->taken_bytes || length > format->taken_bytes - at)
        return err_set(err, ERR_IMAGE_CORRUPT,
                       "the %s file says that its %s is at byte %llu, outside of its %llu bytes",
                       format->type->name, what, (unsigned long long)at,
                       (unsigned long long)format->taken_bytes);
    return 0;
}

int scratch_read(struct format *format, uint64_t at, void *data, size_t length, const char *what,
                 struct err *err)
{
    unsigned char *bytes = data;
    if (scratch_check(format, at, length, what, err) < 0)
        return -1;
    format->read_bytes += length;
    while (length > 0) {
        ssize_t count = pread(format->scratch->fd, bytes, length, (off_t)at);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return err_errno(err, ERR_STORAGE_ERROR, errno, "reading the %s file at byte %llu",
                             format->type->name, (unsigned long long)at);
        if (count == 0) { /* a file's end: only zeroes came after it, and were not written */
            memset(bytes, 0, length);
            return 0;
        }
        bytes += count;
        at += (uint64_t)count;
        length -= (size_t)count;
    }
    return 0;
}

void gather_open(struct gather *gather, struct format *format)
{
    *gather = (struct gather){.format = format, .buffer = xcalloc(1, GATHER_BYTES)};
}

int gather_flush(struct gather *gather, struct err *err)
{
    struct format *format = gather->format;
    size_t length = gather->length;
    gather->length = 0;
    if (length > 0 && output_write(format->output, gather->offset, gather->buffer, length, err) < 0)
        return -1;
    return format->tick ? format->tick(format->argument, err) : 0;
}

unsigned char *gather_room(struct gather *gather, uint64_t offset, size_t length, struct err *err)
{
    bool adjacent = offset == gather->offset + gather->length;
    if (gather->length > 0 && (!adjacent || length > GATHER_BYTES - gather->length) &&
        gather_flush(gather, err) < 0)
        return NULL;
    if (gather->length == 0)
        gather->offset = offset;
    gather->length += length;
    return gather->buffer + gather->length - length;
}

void gather_close(struct gather *gather)
{
    free(gather->buffer);
    gather->buffer = NULL;
}
