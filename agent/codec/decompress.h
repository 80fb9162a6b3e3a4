/* Decoders of a compressed stream with bounded memory: whatever the stream says, one takes no more
 * than DECODER_MEMORY_LIMIT. That is enough for `zstd -22 --ultra` and `--long=27` (a window of 128
 * MiB) and for `xz -9` (65 MiB); a stream that wants more is refused as image_too_large. */
#ifndef SLICENODE_CODEC_DECOMPRESS_H
#define SLICENODE_CODEC_DECOMPRESS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define DECODER_WINDOW_LOG_LIMIT 27
#define DECODER_MEMORY_LIMIT ((1u << DECODER_WINDOW_LOG_LIMIT) + (8u << 20))

/* What is left of the input, and of the room for output; a decoder moves both on. */
struct decode_buffers {
    const unsigned char *input;
    size_t input_length;
    unsigned char *output;
    size_t output_length;
};

struct decoder {
    const struct decoder_type *type;
    void *state;
    /* Whether the stream may end here: at least one member, and no half of one. */
    bool complete;
};

struct decoder_type {
    const char *name; /* the protocol's: none, gzip, xz, zstd */
    int (*open)(struct decoder *decoder, struct err *err);
    /* Takes input and gives output until one of them is used up. `last`: there is no more input
     * after this. */
    int (*decode)(struct decoder *decoder, struct decode_buffers *buffers, bool last,
                  struct err *err);
    void (*close)(struct decoder *decoder);
};

extern const struct decoder_type decoder_none, decoder_gzip, decoder_xz, decoder_zstd;

/* NULL when there is none of that name. */
const struct decoder_type *decoder_find(const char *name);

int decoder_open(struct decoder *decoder, const struct decoder_type *type, struct err *err);
void decoder_close(struct decoder *decoder);

/* Takes a piece of what was decoded. */
typedef int decode_sink(void *argument, const unsigned char *data, size_t length, struct err *err);

/* A decoder whose output goes to a sink in pieces of DECODE_PIECE_BYTES; the last one may be
 * shorter. */
struct decode_stream {
    struct decoder decoder;
    unsigned char *buffer;
    size_t buffered;
    decode_sink *sink;
    void *argument;
};

/* Unpacked at a time, in memory. Ten times as much is no faster. */
#define DECODE_PIECE_BYTES (1u << 20)

/* After a failure, too, decode_stream_close is to be called. */
int decode_stream_open(struct decode_stream *stream, const struct decoder_type *type,
                       decode_sink *sink, void *argument, struct err *err);
int decode_stream_feed(struct decode_stream *stream, const void *data, size_t length,
                       struct err *err);

/* At the end of the input: image_corrupt unless the stream may end there. */
int decode_stream_finish(struct decode_stream *stream, struct err *err);
void decode_stream_close(struct decode_stream *stream);

#endif
