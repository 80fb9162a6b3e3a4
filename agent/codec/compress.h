/* Encoders of a stream, the reverse of decompress.h: what is fed comes out through a callback. */
#ifndef SLICENODE_CODEC_COMPRESS_H
#define SLICENODE_CODEC_COMPRESS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

typedef int encoder_output(void *argument, const void *data, size_t length, struct err *err);

struct encoder {
    const struct encoder_type *type;
    void *state;
    unsigned char *buffer;
    encoder_output *output;
    void *argument;
};

struct encoder_type {
    const char *name; /* the protocol's: none, gzip, zstd */
    int (*open)(struct encoder *encoder, struct err *err);
    /* `last`: the stream ends with these bytes, of which there may be none. */
    int (*feed)(struct encoder *encoder, const void *data, size_t length, bool last,
                struct err *err);
    void (*close)(struct encoder *encoder);
};

extern const struct encoder_type encoder_none, encoder_gzip, encoder_zstd;

/* invalid_argument when there is no encoder of that name. After a failure, too, encoder_close is to
 * be called. */
int encoder_open(struct encoder *encoder, const char *name, encoder_output *output, void *argument,
                 struct err *err);
int encoder_feed(struct encoder *encoder, const void *data, size_t length, struct err *err);
int encoder_finish(struct encoder *encoder, struct err *err);
void encoder_close(struct encoder *encoder);

/* For the encoders: the size of `buffer`. */
#define ENCODER_BUFFER_BYTES (128u << 10)

#endif
