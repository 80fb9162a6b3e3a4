#include "codec/decompress.h"

#include "base/err.h"
#include "base/memory.h"

#include <string.h>

static const struct decoder_type *const types[] = {&decoder_none, &decoder_gzip, &decoder_xz,
                                                   &decoder_zstd};

const struct decoder_type *decoder_find(const char *name)
{
    for (size_t index = 0; index < ARRAY_LENGTH(types); index++)
        if (strcmp(types[index]->name, name) == 0)
            return types[index];
    return NULL;
}

int decoder_open(struct decoder *decoder, const struct decoder_type *type, struct err *err)
{
    *decoder = (struct decoder){.type = type};
    return type->open(decoder, err);
}

void decoder_close(struct decoder *decoder)
{
    if (decoder->type)
        decoder->type->close(decoder);
    decoder->type = NULL;
}

static int none_open(struct decoder *decoder, struct err *err)
{
    (void)err;
    decoder->complete = true;
    return 0;
}

static int none_decode(struct decoder *decoder, struct decode_buffers *buffers, bool last,
                       struct err *err)
{
    (void)decoder;
    (void)last;
    (void)err;
    size_t length = buffers->input_length < buffers->output_length ? buffers->input_length
                                                                   : buffers->output_length;
    memcpy(buffers->output, buffers->input, length);
    buffers->input += length;
    buffers->input_length -= length;
    buffers->output += length;
    buffers->output_length -= length;
    return 0;
}

static void none_close(struct decoder *decoder)
{
    (void)decoder;
}

const struct decoder_type decoder_none = {"none", none_open, none_decode, none_close};
