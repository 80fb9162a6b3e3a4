/* Compressed images: the first byte chooses the decoder, the second the size of the pieces. */
#include "base/err.h"
#include "base/memory.h"
#include "codec/compress.h"
#include "codec/decompress.h"
#include "fuzz.h"

#define OUTPUT_BYTES 4096
#define TOTAL_LIMIT (1u << 22) /* bombs are import's business; here they only take time */

static int decode_all(struct decoder *decoder, const uint8_t *data, size_t size, size_t piece)
{
    unsigned char output[OUTPUT_BYTES];
    size_t total = 0;
    struct err err = {.code = ERR_NONE};

    for (;;) {
        size_t take = size < piece ? size : piece;
        struct decode_buffers buffers = {
            .input = data, .input_length = take, .output = output, .output_length = sizeof(output)};
        size_t made;

        if (decoder->type->decode(decoder, &buffers, take == size, &err) != 0) {
            REQUIRE(err.code != ERR_NONE);
            return -1;
        }
        REQUIRE(buffers.input_length <= take && buffers.output_length <= sizeof(output));
        made = sizeof(output) - buffers.output_length;
        size -= take - buffers.input_length;
        data += take - buffers.input_length;
        total += made;
        if ((size == 0 && made < sizeof(output)) || total > TOTAL_LIMIT)
            return 0;
        /* One that neither takes nor gives would go round for ever. */
        REQUIRE(take > buffers.input_length || made > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct decoder_type *const types[] = {&decoder_none, &decoder_gzip, &decoder_xz,
                                                       &decoder_zstd};
    struct decoder decoder;

    if (size < 2)
        return 0;
    if (decoder_open(&decoder, types[data[0] % ARRAY_LENGTH(types)], NULL) != 0)
        return 0;
    decode_all(&decoder, data + 2, size - 2, data[1] + 1u);
    decoder_close(&decoder);
    return 0;
}
