#include "base/err.h"
#include "codec/compress.h"

#include <zstd.h>

/* A node's processors are its slices': the fastest of the ordinary levels. */
#define LEVEL 1

static int zstd_open(struct encoder *encoder, struct err *err)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    encoder->state = context;
    if (!context || ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, LEVEL)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)))
        return err_set(err, ERR_INTERNAL, "zstd does not start");
    return 0;
}

static int zstd_feed(struct encoder *encoder, const void *data, size_t length, bool last,
                     struct err *err)
{
    ZSTD_inBuffer input = {data, length, 0};
    size_t left;
    do {
        ZSTD_outBuffer output = {encoder->buffer, ENCODER_BUFFER_BYTES, 0};
        left = ZSTD_compressStream2(encoder->state, &output, &input,
                                    last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            return err_set(err, ERR_INTERNAL, "zstd: %s", ZSTD_getErrorName(left));
        if (output.pos > 0 &&
            encoder->output(encoder->argument, encoder->buffer, output.pos, err) < 0)
            return -1;
    } while (input.pos < input.size || (last && left > 0));
    return 0;
}

static void zstd_close(struct encoder *encoder)
{
    ZSTD_freeCCtx(encoder->state);
}

const struct encoder_type encoder_zstd = {"zstd", zstd_open, zstd_feed, zstd_close};
