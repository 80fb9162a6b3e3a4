#include "import/import.h"

#include "base/err.h"
#include "base/ident.h"
#include "base/text.h"
#include "codec/decompress.h"
#include "import/format.h"
#include "import/output.h"

#include <string.h>

_Static_assert(DECODE_PIECE_BYTES % OUTPUT_BLOCK_BYTES == 0, "a raw image's blocks stay whole");

static int choose_format(struct import *import, const unsigned char *data, size_t length,
                         struct err *err)
{
    const struct format_type *type = format_choose(import->format_name, data, length, err);
    if (!type)
        return -1;
    import->format.type = type;
    import->format.head = data;
    import->format.head_length = length;
    return type->open(&import->format, err);
}

/* The first piece is the first MiB of the image, or all of it. */
static int take(void *argument, const unsigned char *data, size_t length, struct err *err)
{
    struct import *import = argument;
    if (!import->format.type && choose_format(import, data, length, err) < 0)
        return -1;
    return import->format.type->feed(&import->format, data, length, err);
}

int import_open(struct import *import, const struct import_options *options, int output,
                int scratch, struct err *err)
{
    memset(import, 0, sizeof(*import));
    sha256_init(&import->hash);
    const struct decoder_type *decoder = decoder_find(options->compression);
    if (!decoder)
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
    return decode_stream_open(&import->stream, decoder, take, import, err);
}

int import_feed(struct import *import, const void *data, size_t length, struct err *err)
{
    import->transfer_bytes += length;
    if (import->expected_bytes != 0 && import->transfer_bytes > import->expected_bytes)
        return err_set(err, ERR_IMAGE_LENGTH_MISMATCH,
                       "the image has more than the %llu bytes announced",
                       (unsigned long long)import->expected_bytes);
    sha256_update(&import->hash, length, data);
    return decode_stream_feed(&import->stream, data, length, err);
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
    if (check_hash(import, err) < 0 || decode_stream_finish(&import->stream, err) < 0 ||
        import->format.type->finish(&import->format, err) < 0)
        return -1;
    return output_finish(&import->output, import->format.size_bytes, err);
}

uint64_t import_moved_bytes(const struct import *import)
{
    return import->output.written_bytes + import->scratch.written_bytes + import->format.read_bytes;
}

void import_close(struct import *import)
{
    if (import->format.type)
        import->format.type->close(&import->format);
    decode_stream_close(&import->stream);
}
