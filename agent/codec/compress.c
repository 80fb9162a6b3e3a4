#include "codec/compress.h"

#include "base/err.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static const struct encoder_type *const types[] = {&encoder_none, &encoder_gzip, &encoder_zstd};

int encoder_open(struct encoder *encoder, const char *name, encoder_output *output, void *argument,
                 struct err *err)
{
    *encoder = (struct encoder){.output = output, .argument = argument};
    for (size_t index = 0; index < ARRAY_LENGTH(types); index++) {
        if (strcmp(types[index]->name, name) != 0)
            continue;
        encoder->type = types[index];
        encoder->buffer = xcalloc(1, ENCODER_BUFFER_BYTES);
        return encoder->type->open(encoder, err);
    }
    return err_set(err, ERR_INVALID_ARGUMENT, "compression \"%.32s\" is not known", name);
}

int encoder_feed(struct encoder *encoder, const void *data, size_t length, struct err *err)
{
    return length > 0 ? encoder->type->feed(encoder, data, length, false, err) : 0;
}

int encoder_finish(struct encoder *encoder, struct err *err)
{
    return encoder->type->feed(encoder, "", 0, true, err);
}

void encoder_close(struct encoder *encoder)
{
    if (encoder->type)
        encoder->type->close(encoder);
    free(encoder->buffer);
    *encoder = (struct encoder){.type = NULL};
}

static int none_open(struct encoder *encoder, struct err *err)
{
    (void)encoder;
    (void)err;
    return 0;
}

static int none_feed(struct encoder *encoder, const void *data, size_t length, bool last,
                     struct err *err)
{
    (void)last;
    return length > 0 ? encoder->output(encoder->argument, data, length, err) : 0;
}

static void none_close(struct encoder *encoder)
{
    (void)encoder;
}

const struct encoder_type encoder_none = {"none", none_open, none_feed, none_close};
