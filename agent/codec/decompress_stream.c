#include "base/err.h"
#include "base/memory.h"
#include "codec/decompress.h"

#include <stdlib.h>

int decode_stream_open(struct decode_stream *stream, const struct decoder_type *type,
                       decode_sink *sink, void *argument, struct err *err)
{
    *stream = (struct decode_stream){
        .buffer = xcalloc(1, DECODE_PIECE_BYTES), .sink = sink, .argument = argument};
    return decoder_open(&stream->decoder, type, err);
}

static int pass_on(struct decode_stream *stream, struct err *err)
{
    size_t length = stream->buffered;
    stream->buffered = 0;
    return stream->sink(stream->argument, stream->buffer, length, err);
}

/* Decodes until the input is used up and the decoder has nothing more to give. */
static int decode(struct decode_stream *stream, const void *data, size_t length, bool last,
                  struct err *err)
{
    struct decode_buffers buffers = {.input = data, .input_length = length};
    for (;;) {
        buffers.output = stream->buffer + stream->buffered;
        buffers.output_length = DECODE_PIECE_BYTES - stream->buffered;
        if (stream->decoder.type->decode(&stream->decoder, &buffers, last, err) < 0)
            return -1;
        stream->buffered = DECODE_PIECE_BYTES - buffers.output_length;
        if (buffers.output_length > 0)
            break;
        if (pass_on(stream, err) < 0)
            return -1;
    }
    if (buffers.input_length > 0)
        return err_set(err, ERR_IMAGE_CORRUPT, "there is data after the end of the %s stream",
                       stream->decoder.type->name);
    return 0;
}

int decode_stream_feed(struct decode_stream *stream, const void *data, size_t length,
                       struct err *err)
{
    return decode(stream, data, length, false, err);
}

int decode_stream_finish(struct decode_stream *stream, struct err *err)
{
    if (decode(stream, "", 0, true, err) < 0)
        return -1;
    if (!stream->decoder.complete)
        return err_set(err, ERR_IMAGE_CORRUPT, "the %s stream ends too early",
                       stream->decoder.type->name);
    return pass_on(stream, err);
}

void decode_stream_close(struct decode_stream *stream)
{
    decoder_close(&stream->decoder);
    free(stream->buffer);
    stream->buffer = NULL;
}
