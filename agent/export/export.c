#include "export/export.h"

#include "base/err.h"
#include "base/ident.h"
#include "base/memory.h"
#include "codec/compress.h"
#include "export/formats.h"
#include "export/map.h"
#include "export/sink.h"

#include <stdlib.h>
#include <string.h>

static const struct export_format *find_format(const char *name)
{
    static const struct export_format *const formats[] = {&export_raw, &export_vhd, &export_delta};
    for (size_t index = 0; index < ARRAY_LENGTH(formats); index++)
        if (strcmp(formats[index]->name, name) == 0)
            return formats[index];
    return NULL;
}

int export_open(struct export *export, const struct export_options *options, struct export_map *map,
                int volume, int output, struct err *err)
{
    *export = (struct export){.options = options, .map = *map, .volume = volume, .output = output};
    memset(map, 0, sizeof(*map));
    sha256_init(&export->hash);
    export->piece = xcalloc(1, EXPORT_PIECE_BYTES);
    if (!find_format(options->format))
        return err_set(err, ERR_INVALID_ARGUMENT, "export format \"%.32s\" is not known",
                       options->format);
    return encoder_open(&export->encoder, options->compression, export_put, export, err);
}

uint64_t export_length(const struct export *export)
{
    if (export->encoder.type != &encoder_none)
        return 0;
    return find_format(export->options->format)->length(export);
}

int export_run(struct export *export, struct err *err)
{
    unsigned char digest[EXPORT_SHA256_BYTES];
    if (find_format(export->options->format)->run(export, err) < 0 ||
        encoder_finish(&export->encoder, err) < 0)
        return -1;
    sha256_digest(&export->hash, sizeof(digest), digest);
    hex_write(export->sha256, digest, sizeof(digest));
    return 0;
}

void export_close(struct export *export)
{
    encoder_close(&export->encoder);
    export_map_close(&export->map);
    free(export->piece);
    export->piece = NULL;
}
