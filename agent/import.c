#include "import.h"

#include "util.h"

#include <stdlib.h>
#include <string.h>

/* A multiple of OUTPUT_BLOCK_BYTES, so that a raw image's blocks stay whole. */
#define BUFFER_BYTES (1u << 20)

int import_open(struct import *import, const struct import_options *options, int output,
                int scratch, struct err *err)
{
    memset(import, 0, sizeof(*import));
    sha256_init(&import->hash);
    const struct decoder_type *decoder = decoder_find(options->compression);
    if (decoder == NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "compression \"%s\" is not known",
                       options->compression);
    if (!format_known(options->format) ||
        !copy_text(import->format_name, sizeof(import->format_name), options->format))
        return err_set(err, ERR_INVALID_ARGUMENT, "image format \"%s\" is not known",
                       options->format);
    if (options->sha256[0] != '\0' && !hex_valid(options->sha256, IMPORT_SHA256_BYTES))
        return err_set(err, ERR_INVALID_ARGUMENT, "sha256 is not 64 lower-case hexadecimal digits");
    copy_text(import->sha256, sizeof(import->sha256), options->sha256);
    import->expected_bytes = options->transfer_bytes;
    import->output = (struct output){.fd = output, .limit_bytes = options->limit_bytes};
    import->scratch = (struct output){.fd = scratch, .limit_bytes = options->scratch_bytes};
    import->format.output = &import->output;
    import->format.scratch = scratch >= 0 ? &import->scratch : NULL;
    import->buffer = xcalloc(1, BUFFER_BYTES);
    return decoder_open(&import->decoder, decoder, err);
}

/* The buffer then holds the first MiB of the image, or all of it. */
static int choose_format(struct import *import, struct err *err)
{
    const struct format_type *type =
        format_choose(import->format_name, import->buffer, import->buffered, err);
    if (type == NULL)
        return -1;
    import->format.type = type;
    return type->open(&import->format, err);
}

static int pass_on(struct import *import, struct err *err)
{
    if (import->format.type == NULL && choose_format(import, err) != 0)
        return -1;
    size_t length = import->buffered;
    import->buffered = 0;
    return import->format.type->feed(&import->format, import->buffer, length, err);
}

/* Decodes until the input is used up and the decoder has nothing more to give. */
static int decode(struct import *import, const void *data, size_t length, bool last,
                  struct err *err)
{
    struct decode_buffers buffers = {.input = data, .input_length = length};
    for (;;) {
        buffers.output = import->buffer + import->buffered;
        buffers.output_length = BUFFER_BYTES - import->buffered;
        if (import->decoder.type->decode(&import->decoder, &buffers, last, err) != 0)
            return -1;
        import->buffered = BUFFER_BYTES - buffers.output_length;
        if (buffers.output_length > 0)
            break;
        if (pass_on(import, err) != 0)
            return -1;
    }
    if (buffers.input_length > 0)
        return err_set(err, ERR_IMAGE_CORRUPT, "there is data after the end of the %s stream",
                       import->decoder.type->name);
    return 0;
}

int import_feed(struct import *import, const void *data, size_t length, struct err *err)
{
    import->transfer_bytes += length;
    if (import->expected_bytes != 0 && import->transfer_bytes > import->expected_bytes)
        return err_set(err, ERR_IMAGE_LENGTH_MISMATCH,
                       "the image has more than the %llu bytes announced",
                       (unsigned long long)import->expected_bytes);
    sha256_update(&import->hash, length, data);
    return decode(import, data, length, false, err);
}

static int check_hash(struct import *import, struct err *err)
{
    unsigned char digest[IMPORT_SHA256_BYTES];
    char found[IMPORT_SHA256_TEXT_BYTES];
    sha256_digest(&import->hash, sizeof(digest), digest);
    hex_write(found, digest, sizeof(digest));
    if (import->sha256[0] != '\0' && strcmp(import->sha256, found) != 0)
        return err_set(err, ERR_IMAGE_HASH_MISMATCH, "the image's SHA-256 is %s, expected %s",
                       found, import->sha256);
    copy_text(import->sha256, sizeof(import->sha256), found);
    return 0;
}

int import_finish(struct import *import, struct err *err)
{
    if (import->expected_bytes != 0 && import->transfer_bytes != import->expected_bytes)
        return err_set(
            err, ERR_IMAGE_LENGTH_MISMATCH, "the image has %llu bytes, %llu were announced",
            (unsigned long long)import->transfer_bytes, (unsigned long long)import->expected_bytes);
    if (check_hash(import, err) != 0 || decode(import, "", 0, true, err) != 0)
        return -1;
    if (!import->decoder.complete)
        return err_set(err, ERR_IMAGE_CORRUPT, "the %s stream ends too early",
                       import->decoder.type->name);
    if (pass_on(import, err) != 0 || import->format.type->finish(&import->format, err) != 0)
        return -1;
    return output_finish(&import->output, import->format.size_bytes, err);
}

uint64_t import_moved_bytes(const struct import *import)
{
    return import->output.written_bytes + import->scratch.written_bytes + import->format.read_bytes;
}

void import_close(struct import *import)
{
    if (import->format.type != NULL)
        import->format.type->close(&import->format);
    decoder_close(&import->decoder);
    free(import->buffer);
    import->buffer = NULL;
}
