#include "base/err.h"
#include "codec/decompress.h"

#include <zstd.h>
#include <zstd_errors.h>

static int zstd_open(struct decoder *decoder, struct err *err)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    if (!context)
        return err_set(err, ERR_INTERNAL, "zstd: no memory");
    ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, DECODER_WINDOW_LOG_LIMIT);
    decoder->state = context;
    return 0;
}

static int zstd_decode(struct decoder *decoder, struct decode_buffers *buffers, bool last,
                       struct err *err)
{
    (void)last;
    ZSTD_inBuffer input = {buffers->input, buffers->input_length, 0};
    ZSTD_outBuffer output = {buffers->output, buffers->output_length, 0};
    size_t result = 0;
    while (output.pos < output.size) {
        size_t input_before = input.pos, output_before = output.pos;
        if (decoder->complete && input.pos == input.size)
            break;
        result = ZSTD_decompressStream(decoder->state, &output, &input);
        if (ZSTD_isError(result))
            break;
        decoder->complete = result == 0;
        if (input.pos == input_before && output.pos == output_before)
            break;
    }
    buffers->input += input.pos;
    buffers->input_length -= input.pos;
    buffers->output += output.pos;
    buffers->output_length -= output.pos;
    if (!ZSTD_isError(result))
        return 0;
    if (ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge)
        return err_set(err, ERR_IMAGE_TOO_LARGE,
                       "the zstd stream needs a window of more than %u MiB to decompress",
                       (1u << DECODER_WINDOW_LOG_LIMIT) >> 20);
    if (ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation)
        return err_set(err, ERR_INTERNAL, "zstd: no memory");
    return err_set(err, ERR_IMAGE_CORRUPT, "the zstd stream is damaged: %s",
                   ZSTD_getErrorName(result));
}

static void zstd_close(struct decoder *decoder)
{
    ZSTD_freeDCtx(decoder->state);
}

const struct decoder_type decoder_zstd = {"zstd", zstd_open, zstd_decode, zstd_close};
