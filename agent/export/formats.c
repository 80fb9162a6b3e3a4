/* The formats without a structure that others made: the plain disk, and our own stream of
 * differences (docs/protocol/delta.md). */
#include "export/formats.h"

#include "base/err.h"
#include "base/memory.h"
#include "export/map.h"
#include "export/sink.h"

#include <stdio.h>
#include <string.h>

static uint64_t raw_length(const struct export *export)
{
    return export->options->size_bytes;
}

static int raw_run(struct export *export, struct err *err)
{
    struct map_run run = {.offset = 0};
    while (export_map_next(&export->map, UINT64_MAX, &run))
        if ((run.data ? export_volume(export, run.offset, run.length, err)
                      : export_zeroes(export, run.length, err)) != 0)
            return -1;
    return 0;
}

const struct export_format export_raw = {"raw", raw_length, raw_run};

/* --- Differences ------------------------------------------------------------------------------ */

#define RECORD_BYTES 24
/* The format's (docs/protocol/delta.md); longer runs are several records. */
#define RECORD_LIMIT (64 * MIB)

static int delta_header(const struct export *export, char *text, size_t size)
{
    const struct export_options *options = export->options;
    return snprintf(text, size,
                    "{\"format\": \"slicenode-delta\", \"version\": 1, \"snapshot\": \"%s\", "
                    "\"since\": \"%s\", \"size_bytes\": %llu, \"block_bytes\": %llu}\n",
                    options->snapshot, options->since, (unsigned long long)options->size_bytes,
                    (unsigned long long)export->map.block_bytes);
}

static uint64_t delta_length(const struct export *export)
{
    struct map_run run = {.offset = 0};
    char header[512];
    uint64_t length = (uint64_t)delta_header(export, header, sizeof(header)) + RECORD_BYTES;
    while (export_map_next(&export->map, RECORD_LIMIT, &run))
        length += RECORD_BYTES + (run.data ? run.length : 0);
    return length;
}

static void put_number(unsigned char *to, uint64_t number)
{
    for (unsigned i = 0; i < 8; i++)
        to[i] = (unsigned char)(number >> (56 - 8 * i));
}

static int record(struct export *export, const char *kind, uint64_t offset, uint64_t length,
                  struct err *err)
{
    unsigned char bytes[RECORD_BYTES] = {0};
    memcpy(bytes, kind, 4);
    put_number(bytes + 8, offset);
    put_number(bytes + 16, length);
    return export_bytes(export, bytes, sizeof(bytes), err);
}

static int delta_run(struct export *export, struct err *err)
{
    struct map_run run = {.offset = 0};
    char header[512];
    int length = delta_header(export, header, sizeof(header));
    if (export_bytes(export, header, (size_t)length, err) < 0)
        return -1;
    while (export_map_next(&export->map, RECORD_LIMIT, &run)) {
        export->done_bytes = run.offset;
        if (record(export, run.data ? "DATA" : "ZERO", run.offset, run.length, err) < 0 ||
            (run.data && export_volume(export, run.offset, run.length, err) < 0))
            return -1;
    }
    export->done_bytes = export->options->size_bytes;
    return record(export, "END ", export->options->size_bytes, 0, err);
}

const struct export_format export_delta = {"delta", delta_length, delta_run};
