#include "base/err.h"
#include "base/memory.h"
#include "codec/decompress.h"

#include <lzma.h>
#include <stdlib.h>

static int xz_open(struct decoder *decoder, struct err *err)
{
    lzma_stream *stream = xcalloc(1, sizeof(*stream));
    *stream = (lzma_stream)LZMA_STREAM_INIT;
    if (lzma_stream_decoder(stream, DECODER_MEMORY_LIMIT, LZMA_CONCATENATED) != LZMA_OK) {
        free(stream);
        return err_set(err, ERR_INTERNAL, "xz: no memory");
    }
    decoder->state = stream;
    return 0;
}

static const char *problem(lzma_ret result)
{
    switch (result) {
    case LZMA_FORMAT_ERROR:
        return "it does not begin with an xz header";
    case LZMA_OPTIONS_ERROR:
        return "it uses an unknown filter or option";
    case LZMA_DATA_ERROR:
        return "its data or checksum is wrong";
    case LZMA_BUF_ERROR:
        return "it ends too early";
    default:
        return "unexpected data";
    }
}

static int xz_decode(struct decoder *decoder, struct decode_buffers *buffers, bool last,
                     struct err *err)
{
    lzma_stream *stream = decoder->state;
    if (decoder->complete) /* with LZMA_CONCATENATED only at the end of the whole input */
        return 0;
    stream->next_in = buffers->input;
    stream->avail_in = buffers->input_length;
    stream->next_out = buffers->output;
    stream->avail_out = buffers->output_length;
    lzma_ret result = lzma_code(stream, last ? LZMA_FINISH : LZMA_RUN);
    buffers->input = stream->next_in;
    buffers->input_length = stream->avail_in;
    buffers->output = stream->next_out;
    buffers->output_length = stream->avail_out;
    if (result == LZMA_MEMLIMIT_ERROR)
        return err_set(err, ERR_IMAGE_TOO_LARGE,
                       "the xz stream needs %llu MiB of memory to decompress, at most %u are given",
                       (unsigned long long)(lzma_memusage(stream) >> 20),
                       DECODER_MEMORY_LIMIT >> 20);
    if (result == LZMA_MEM_ERROR)
        return err_set(err, ERR_INTERNAL, "xz: no memory");
    if (result == LZMA_STREAM_END)
        decoder->complete = true;
    else if (result != LZMA_OK && !(result == LZMA_BUF_ERROR && !last))
        return err_set(err, ERR_IMAGE_CORRUPT, "the xz stream is damaged: %s", problem(result));
    return 0;
}

static void xz_close(struct decoder *decoder)
{
    lzma_end(decoder->state);
    free(decoder->state);
}

const struct decoder_type decoder_xz = {"xz", xz_open, xz_decode, xz_close};
