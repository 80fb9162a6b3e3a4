/* sliced-import: a line with the agent's order, then the stream as it comes, in uneven pieces. */
#include "base/err.h"
#include "base/json.h"
#include "base/text.h"
#include "fuzz.h"
#include "import/import.h"

#define main import_main             /* the program's own */
#include "../../agent/import/main.c" /* NOLINT */
#undef main

#include <sys/mman.h>

#define LIMIT_BYTES (8u << 20) /* whatever the order says */

static int run_import(struct import *import, const uint8_t *data, size_t size, struct err *err)
{
    for (size_t at = 0, piece = 1; at < size; piece = piece * 7 % 100003 + 1) {
        size_t length = size - at < piece ? size - at : piece;
        if (import_feed(import, data + at, length, err) != 0)
            return -1;
        at += length;
    }
    return import_finish(import, err);
}

static void take(const struct import_options *options, const uint8_t *data, size_t size)
{
    struct import import;
    struct err err = {.code = ERR_NONE};
    int output = memfd_create("disk", 0);
    int scratch = options->scratch_bytes > 0 ? memfd_create("file", 0) : -1;

    int result = import_open(&import, options, output, scratch, &err);
    if (result == 0)
        result = run_import(&import, data, size, &err);
    REQUIRE((result == 0) == (err.code == ERR_NONE));
    REQUIRE(text_valid(err.message));
    if (result == 0)
        REQUIRE(import.format.size_bytes <= LIMIT_BYTES && import.transfer_bytes == size);
    import_close(&import);
    close(output);
    if (scratch >= 0)
        close(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_JSON json_t *message = NULL;
    struct import_options options;
    struct err err = {.code = ERR_NONE};
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t length = end != NULL ? (size_t)(end - data) : size;

    if (json_object_parse((const char *)data, length, &message, NULL) != 0)
        return 0;
    if (read_options(message, &options, &err) != 0) {
        REQUIRE(err.code != ERR_NONE);
        return 0;
    }
    if (options.limit_bytes > LIMIT_BYTES)
        options.limit_bytes = LIMIT_BYTES;
    if (options.scratch_bytes > LIMIT_BYTES)
        options.scratch_bytes = LIMIT_BYTES;
    if (end != NULL)
        take(&options, end + 1, size - length - 1);
    return 0;
}
