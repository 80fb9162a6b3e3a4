#include "base/err.h"
#include "base/memory.h"
#include "codec/compress.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

/* A node's processors are its slices': the fastest level. */
#define LEVEL 1
#define GZIP_WINDOW_BITS (15 + 16)
#define MEMORY_LEVEL 8

static int gzip_open(struct encoder *encoder, struct err *err)
{
    z_stream *stream = xcalloc(1, sizeof(*stream));
    encoder->state = stream;
    if (deflateInit2(stream, LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return err_set(err, ERR_INTERNAL, "gzip does not start");
    return 0;
}

static int gzip_feed(struct encoder *encoder, const void *data, size_t length, bool last,
                     struct err *err)
{
    z_stream *stream = encoder->state;
    int result;
    if (length > UINT_MAX)
        return err_set(err, ERR_INTERNAL, "gzip: too much at once");
    stream->next_in = (unsigned char *)(uintptr_t)data;
    stream->avail_in = (unsigned)length;
    do {
        stream->next_out = encoder->buffer;
        stream->avail_out = ENCODER_BUFFER_BYTES;
        result = deflate(stream, last ? Z_FINISH : Z_NO_FLUSH);
        if (result == Z_STREAM_ERROR)
            return err_set(err, ERR_INTERNAL, "gzip failed");
        size_t made = ENCODER_BUFFER_BYTES - stream->avail_out;
        if (made > 0 && encoder->output(encoder->argument, encoder->buffer, made, err) < 0)
            return -1;
    } while (stream->avail_out == 0 || (last && result != Z_STREAM_END));
    return 0;
}

static void gzip_close(struct encoder *encoder)
{
    if (encoder->state)
        deflateEnd(encoder->state);
    free(encoder->state);
}

const struct encoder_type encoder_gzip = {"gzip", gzip_open, gzip_feed, gzip_close};
