/* Compressed clusters of qcow2: raw deflate, or a zstd frame. */
#include "base/memory.h"
#include "import/qcow2.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#define RAW_DEFLATE (-MAX_WBITS)
/* QEMU's windows are no larger than a cluster; what says more is refused by zstd. */
#define ZSTD_WINDOW_LOG 24

struct unpack {
    enum qcow2_compression compression;
    size_t cluster_bytes;
    unsigned char *input;
    unsigned char *output;
    z_stream deflate;
    bool deflate_open;
    ZSTD_DCtx *zstd;
};

struct unpack *unpack_open(enum qcow2_compression compression, size_t cluster_bytes)
{
    struct unpack *unpack = xcalloc(1, sizeof(*unpack));
    unpack->compression = compression;
    unpack->cluster_bytes = cluster_bytes;
    unpack->input = xcalloc(2, cluster_bytes);
    unpack->output = xcalloc(1, cluster_bytes);
    if (compression == QCOW2_ZSTD) {
        unpack->zstd = ZSTD_createDCtx();
        if (unpack->zstd)
            ZSTD_DCtx_setParameter(unpack->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
    } else {
        unpack->deflate_open = inflateInit2(&unpack->deflate, RAW_DEFLATE) == Z_OK;
    }
    return unpack;
}

void unpack_close(struct unpack *unpack)
{
    if (!unpack)
        return;
    if (unpack->deflate_open)
        inflateEnd(&unpack->deflate);
    ZSTD_freeDCtx(unpack->zstd);
    free(unpack->input);
    free(unpack->output);
    free(unpack);
}

unsigned char *unpack_input(struct unpack *unpack)
{
    return unpack->input;
}

/* What follows the cluster's stream belongs to its neighbour and is not looked at. */
static bool inflate_cluster(struct unpack *unpack, size_t input_length)
{
    z_stream *stream = &unpack->deflate;
    if (!unpack->deflate_open || inflateReset(stream) != Z_OK)
        return false;
    stream->next_in = unpack->input;
    stream->avail_in = (unsigned)input_length;
    stream->next_out = unpack->output;
    stream->avail_out = (unsigned)unpack->cluster_bytes;
    int result = inflate(stream, Z_FINISH);
    return (result == Z_STREAM_END || result == Z_BUF_ERROR || result == Z_OK) &&
           stream->avail_out == 0;
}

static bool zstd_cluster(struct unpack *unpack, size_t input_length)
{
    ZSTD_inBuffer input = {unpack->input, input_length, 0};
    ZSTD_outBuffer output = {unpack->output, unpack->cluster_bytes, 0};
    if (!unpack->zstd)
        return false;
    ZSTD_DCtx_reset(unpack->zstd, ZSTD_reset_session_only);
    while (output.pos < output.size) {
        size_t taken = input.pos, given = output.pos;
        size_t result = ZSTD_decompressStream(unpack->zstd, &output, &input);
        if (ZSTD_isError(result) || (input.pos == taken && output.pos == given))
            return false;
    }
    return true;
}

const unsigned char *unpack_cluster(struct unpack *unpack, size_t input_length)
{
    bool whole = unpack->compression == QCOW2_ZSTD ? zstd_cluster(unpack, input_length)
                                                   : inflate_cluster(unpack, input_length);
    return whole ? unpack->output : NULL;
}
