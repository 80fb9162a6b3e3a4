#include "import/output.h"

#include "base/err.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

/* Write-back starts early, so that the sync at the end finds little left to do and memory does not
 * fill with dirty pages: dom0 is small. */
#define FLUSH_BYTES (8u << 20)

static int write_run(struct output *output, uint64_t offset, const unsigned char *data,
                     size_t length, struct err *err)
{
    while (length > 0) {
        ssize_t count = pwrite(output->fd, data, length, (off_t)offset);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return err_errno(err, ERR_STORAGE_ERROR, count == 0 ? ENOSPC : errno,
                             "writing the image at byte %llu", (unsigned long long)offset);
        data += count;
        offset += (uint64_t)count;
        length -= (size_t)count;
        output->written_bytes += (uint64_t)count;
    }
    return 0;
}

static void start_flush(struct output *output, uint64_t end)
{
    if (end < output->flushed_to + FLUSH_BYTES)
        return;
    /* Only a hint: errors come with the sync at the end. */
    sync_file_range(output->fd, (off_t)output->flushed_to, (off_t)(end - output->flushed_to),
                    SYNC_FILE_RANGE_WRITE);
    output->flushed_to = end;
}

/* The part of `length` up to the next block boundary. */
static size_t block_part(uint64_t offset, size_t length)
{
    size_t part = OUTPUT_BLOCK_BYTES - (size_t)(offset % OUTPUT_BLOCK_BYTES);
    return part < length ? part : length;
}

int output_write(struct output *output, uint64_t offset, const void *data, size_t length,
                 struct err *err)
{
    const unsigned char *bytes = data;
    if (offset > output->limit_bytes || length > output->limit_bytes - offset)
        return err_set(err, ERR_IMAGE_TOO_LARGE, "the image is larger than the %llu bytes allowed",
                       (unsigned long long)output->limit_bytes);
    size_t done = 0;
    while (done < length) {
        size_t end = done, part;
        while (end < length && (part = block_part(offset + end, length - end)) > 0 &&
               !all_zero(bytes + end, part))
            end += part;
        if (end > done && write_run(output, offset + done, bytes + done, end - done, err) < 0)
            return -1;
        while (end < length && (part = block_part(offset + end, length - end)) > 0 &&
               all_zero(bytes + end, part))
            end += part;
        done = end;
    }
    start_flush(output, offset + length);
    return 0;
}

int output_finish(struct output *output, uint64_t size_bytes, struct err *err)
{
    struct stat status;
    if (fstat(output->fd, &status) != 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "the image's volume");
    if (S_ISREG(status.st_mode) && ftruncate(output->fd, (off_t)size_bytes) != 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "the image's length");
    if (fdatasync(output->fd) != 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "writing the image to its volume");
    return 0;
}
