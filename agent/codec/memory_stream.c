#include "codec/memory_stream.h"

#include "base/err.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Read and written at a time, so much of dom0's memory in all. Ten times as much is no faster. */
#define CHUNK_BYTES (1u << 20)
#define BLOCK_BYTES (64u << 10)     /* the pool's, which is what a zero block saves */
#define DIRECT_BYTES ((size_t)4096) /* alignment and unit of direct access, on every disk */

struct memory_stream {
    int volume;
    int inner; /* the thread's end of the pipe */
    int outer; /* the other one, lent to the caller */
    bool writes;
    pthread_t thread;
    struct memory_mark mark; /* counted by the thread */
    struct memory_mark wanted;
    unsigned char *buffer; /* CHUNK_BYTES, aligned */
    struct err error;      /* the thread's; ERR_NONE when all went well */
};

static size_t rounded(size_t length)
{
    return (length + DIRECT_BYTES - 1) / DIRECT_BYTES * DIRECT_BYTES;
}

static void count(struct memory_stream *stream, size_t length)
{
    stream->mark.crc = lzma_crc64(stream->buffer, length, stream->mark.crc);
    stream->mark.bytes += length;
}

/* --- Into the volume -------------------------------------------------------------------------- */

static int put(struct memory_stream *stream, size_t from, size_t length, uint64_t offset)
{
    while (length > 0) {
        ssize_t done = pwrite(stream->volume, stream->buffer + from, length, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return err_errno(&stream->error, ERR_STORAGE_ERROR, done == 0 ? ENOSPC : errno,
                             "cannot write the memory to its volume");
        from += (size_t)done;
        offset += (uint64_t)done;
        length -= (size_t)done;
    }
    return 0;
}

/* The chunk in the buffer, without its blocks of zeros. */
static int put_chunk(struct memory_stream *stream, size_t length, uint64_t offset)
{
    size_t padded = rounded(length), begin = 0;
    memset(stream->buffer + length, 0, padded - length);
    for (size_t at = 0; at < padded;) {
        size_t part = padded - at < BLOCK_BYTES ? padded - at : BLOCK_BYTES;
        if (all_zero(stream->buffer + at, part)) {
            if (put(stream, begin, at - begin, offset + begin) < 0)
                return -1;
            begin = at + part;
        }
        at += part;
    }
    return put(stream, begin, padded - begin, offset + begin);
}

static void take_all(struct memory_stream *stream)
{
    off_t room = lseek(stream->volume, 0, SEEK_END);
    long got;
    while ((got = read_full(stream->inner, stream->buffer, CHUNK_BYTES)) > 0) {
        uint64_t offset = stream->mark.bytes;
        if (offset + rounded((size_t)got) > (uint64_t)room) {
            err_set(&stream->error, ERR_STORAGE_ERROR,
                    "the memory does not fit in its volume of %llu MiB",
                    (unsigned long long)((uint64_t)room / MIB));
            return;
        }
        count(stream, (size_t)got);
        if (put_chunk(stream, (size_t)got, offset) < 0)
            return;
    }
    if (got < 0)
        err_errno(&stream->error, ERR_INTERNAL, errno, "cannot read the memory's stream");
    else if (fsync(stream->volume) < 0)
        err_errno(&stream->error, ERR_STORAGE_ERROR, errno, "cannot write the memory to disk");
}

/* --- Out of the volume ------------------------------------------------------------------------ */

/* The next chunk into the buffer. Returns its length, 0 at the end, -1. */
static long get_chunk(struct memory_stream *stream)
{
    uint64_t left = stream->wanted.bytes - stream->mark.bytes;
    size_t length = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES, done = 0;
    while (done < length) {
        ssize_t got = pread(stream->volume, stream->buffer + done, rounded(length) - done,
                            (off_t)(stream->mark.bytes + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return err_errno(&stream->error, ERR_STORAGE_ERROR, got == 0 ? EIO : errno,
                             "cannot read the saved memory");
        done += (size_t)got;
    }
    count(stream, length);
    return (long)length;
}

/* Reads all of it, into the pipe when there is one, and compares. */
static void give_all(struct memory_stream *stream)
{
    long length;
    while ((length = get_chunk(stream)) > 0) {
        if (stream->inner >= 0 && write_full(stream->inner, stream->buffer, (size_t)length) < 0) {
            err_errno(&stream->error, ERR_INTERNAL, errno,
                      "the saved memory was not read to its end");
            return;
        }
    }
    if (length == 0 && stream->mark.crc != stream->wanted.crc)
        err_set(&stream->error, ERR_STORAGE_ERROR,
                "the saved memory is damaged: its %llu bytes have the checksum %016llx instead of "
                "%016llx",
                (unsigned long long)stream->wanted.bytes, (unsigned long long)stream->mark.crc,
                (unsigned long long)stream->wanted.crc);
}

/* --- The stream ------------------------------------------------------------------------------- */

static void *move(void *argument)
{
    struct memory_stream *stream = argument;
    if (stream->writes)
        take_all(stream);
    else
        give_all(stream);
    /* The other side learns of an end that it did not make. */
    close(stream->inner);
    stream->inner = -1;
    return NULL;
}

static void discard(struct memory_stream *stream)
{
    if (stream->volume >= 0)
        close(stream->volume);
    if (stream->inner >= 0)
        close(stream->inner);
    if (stream->outer >= 0)
        close(stream->outer);
    free(stream->buffer);
    free(stream);
}

static int open_volume(struct memory_stream *stream, const char *path, struct err *err)
{
    struct stat status;
    stream->volume = open(path, (stream->writes ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (stream->volume < 0 || fstat(stream->volume, &status) < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot open %s", path);
    /* Past the page cache; the simulated node's file in memory is nothing else. */
    if (S_ISBLK(status.st_mode) && fcntl(stream->volume, F_SETFL, O_DIRECT) < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "cannot use %s directly", path);
    return 0;
}

static struct memory_stream *open_stream(const char *path, const struct memory_mark *mark,
                                         struct err *err)
{
    struct memory_stream *stream = xcalloc(1, sizeof(*stream));
    void *buffer = NULL;
    *stream = (struct memory_stream){.volume = -1, .inner = -1, .outer = -1, .writes = !mark};
    if (mark)
        stream->wanted = *mark;
    if (posix_memalign(&buffer, DIRECT_BYTES, CHUNK_BYTES) != 0)
        abort();
    stream->buffer = buffer;
    if (open_volume(stream, path, err) == 0)
        return stream;
    discard(stream);
    return NULL;
}

static struct memory_stream *start(struct memory_stream *stream, int *fd, struct err *err)
{
    int ends[2];
    if (!stream)
        return NULL;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        err_errno(err, ERR_INTERNAL, errno, "cannot make a pipe");
        discard(stream);
        return NULL;
    }
    stream->inner = ends[stream->writes ? 0 : 1];
    stream->outer = *fd = ends[stream->writes ? 1 : 0];
    /* Both sides work at once as far as the pipe reaches; a smaller one is slower, not wrong. */
    (void)fcntl(stream->outer, F_SETPIPE_SZ, CHUNK_BYTES);
    int failed = pthread_create(&stream->thread, NULL, move, stream);
    if (failed) {
        err_errno(err, ERR_INTERNAL, failed, "cannot start a thread");
        discard(stream);
        return NULL;
    }
    return stream;
}

struct memory_stream *memory_stream_write(const char *path, int *fd, struct err *err)
{
    return start(open_stream(path, NULL, err), fd, err);
}

struct memory_stream *memory_stream_read(const char *path, const struct memory_mark *mark, int *fd,
                                         struct err *err)
{
    return start(open_stream(path, mark, err), fd, err);
}

int memory_stream_end(struct memory_stream *stream, struct memory_mark *mark, struct err *err)
{
    close(stream->outer);
    stream->outer = -1;
    pthread_join(stream->thread, NULL);
    bool failed = stream->error.code != ERR_NONE;
    if (failed)
        err_set(err, stream->error.code, "%s", stream->error.message);
    else if (mark)
        *mark = stream->mark;
    discard(stream);
    return failed ? -1 : 0;
}

int memory_stream_check(const char *path, const struct memory_mark *mark, struct err *err)
{
    struct memory_stream *stream = open_stream(path, mark, err);
    if (!stream)
        return -1;
    give_all(stream);
    bool failed = stream->error.code != ERR_NONE;
    if (failed)
        err_set(err, stream->error.code, "%s", stream->error.message);
    discard(stream);
    return failed ? -1 : 0;
}
