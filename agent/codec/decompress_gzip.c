#include "base/err.h"
#include "base/memory.h"
#include "codec/decompress.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#define GZIP_ONLY (16 + MAX_WBITS)

static int gzip_open(struct decoder *decoder, struct err *err)
{
    z_stream *stream = xcalloc(1, sizeof(*stream));
    if (inflateInit2(stream, GZIP_ONLY) != Z_OK) {
        free(stream);
        return err_set(err, ERR_INTERNAL, "gzip: no memory");
    }
    decoder->state = stream;
    return 0;
}

static unsigned bounded(size_t length)
{
    return length < UINT_MAX ? (unsigned)length : UINT_MAX;
}

static int gzip_decode(struct decoder *decoder, struct decode_buffers *buffers, bool last,
                       struct err *err)
{
    (void)last;
    z_stream *stream = decoder->state;
    while (buffers->output_length > 0) {
        if (decoder->complete && buffers->input_length == 0)
            return 0;
        if (decoder->complete) { /* another member follows */
            inflateReset(stream);
            decoder->complete = false;
        }
        unsigned input = bounded(buffers->input_length), output = bounded(buffers->output_length);
        stream->next_in = (unsigned char *)buffers->input; /* zlib does not write there */
        stream->avail_in = input;
        stream->next_out = buffers->output;
        stream->avail_out = output;
        int result = inflate(stream, Z_NO_FLUSH);
        buffers->input += input - stream->avail_in;
        buffers->input_length -= input - stream->avail_in;
        buffers->output += output - stream->avail_out;
        buffers->output_length -= output - stream->avail_out;
        if (result == Z_BUF_ERROR) /* nothing more can be done with what is there */
            return 0;
        if (result != Z_OK && result != Z_STREAM_END)
            return err_set(err, ERR_IMAGE_CORRUPT, "the gzip stream is damaged: %s",
                           stream->msg ? stream->msg : "unexpected data");
        decoder->complete = result == Z_STREAM_END;
    }
    return 0;
}

static void gzip_close(struct decoder *decoder)
{
    inflateEnd(decoder->state);
    free(decoder->state);
}

const struct decoder_type decoder_gzip = {"gzip", gzip_open, gzip_decode, gzip_close};
