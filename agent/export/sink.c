#include "export/sink.h"

#include "base/err.h"
#include "base/file.h"
#include "codec/compress.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int export_put(void *argument, const void *data, size_t length, struct err *err)
{
    struct export *export = argument;
    sha256_update(&export->hash, length, data);
    if (write_full(export->output, data, length) < 0)
        return err_errno(err, errno == EPIPE ? ERR_CANCELLED : ERR_EXPORT_FAILED, errno,
                         "writing the export at byte %llu", (unsigned long long)export->sent_bytes);
    export->sent_bytes += length;
    return 0;
}

static int tell_progress_made(struct export *export, struct err *err)
{
    return export->progress ? export->progress(export, export->argument, err) : 0;
}

int export_bytes(struct export *export, const void *data, size_t length, struct err *err)
{
    if (encoder_feed(&export->encoder, data, length, err) < 0)
        return -1;
    return tell_progress_made(export, err);
}

int export_zeroes(struct export *export, uint64_t length, struct err *err)
{
    memset(export->piece, 0, length < EXPORT_PIECE_BYTES ? (size_t)length : EXPORT_PIECE_BYTES);
    while (length > 0) {
        size_t part = length < EXPORT_PIECE_BYTES ? (size_t)length : EXPORT_PIECE_BYTES;
        if (export_bytes(export, export->piece, part, err) < 0)
            return -1;
        export->done_bytes += part;
        length -= part;
    }
    return 0;
}

/* dom0 is small: what was read is not kept in its memory. */
static int read_piece(struct export *export, uint64_t offset, size_t length, struct err *err)
{
    uint64_t place = offset, end = offset + length;
    while (place < end) {
        ssize_t count =
            pread(export->volume, export->piece + (place - offset), end - place, (off_t)place);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return err_errno(err, ERR_STORAGE_ERROR, errno, "reading the snapshot at byte %llu",
                             (unsigned long long)place);
        if (count == 0)
            return err_set(err, ERR_STORAGE_ERROR, "the snapshot ends at byte %llu",
                           (unsigned long long)place);
        place += (uint64_t)count;
    }
    posix_fadvise(export->volume, (off_t)offset, (off_t)length, POSIX_FADV_DONTNEED);
    return 0;
}

int export_volume(struct export *export, uint64_t offset, uint64_t length, struct err *err)
{
    while (length > 0) {
        size_t part = length < EXPORT_PIECE_BYTES ? (size_t)length : EXPORT_PIECE_BYTES;
        if (read_piece(export, offset, part, err) < 0 ||
            export_bytes(export, export->piece, part, err) < 0)
            return -1;
        offset += part;
        length -= part;
        export->read_bytes += part;
        export->done_bytes += part;
    }
    return 0;
}
