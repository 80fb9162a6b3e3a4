/* sliced-export: reads a snapshot's volume and writes it into a pipe, under the sandbox.
 * Descriptor 3 is the wire to the agent, 4 the pipe, 5 the volume, 6 the pool's metadata. */
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "codec/thin_metadata.h"
#include "export/export.h"
#include "export/map.h"
#include "export/sink.h"
#include "process/helper.h"
#include "process/sandbox.h"
#include "process/wire.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define OUTPUT_FD 4
#define VOLUME_FD 5
#define METADATA_FD 6
#define FIRST_MESSAGE_MS 30000
#define PROGRESS_MS 1000

/* What the message says besides export_options: where the map of the volume is to be found. */
struct source {
    bool metadata; /* they are there */
    uint64_t superblock;
    unsigned volume;
    unsigned since_volume; /* 0 for none */
};

struct teller {
    struct wire *wire;
    uint64_t next_ms;
};

/* The message stays the owner of the options' texts. */
static int read_options(const json_t *message, struct export_options *options,
                        struct source *source, struct err *err)
{
    struct fields fields;
    const char *type = NULL;
    *options = (struct export_options){.size_bytes = 0};
    *source = (struct source){.metadata = json_object_get(message, "superblock")};
    enum field_need with_metadata = source->metadata ? REQUIRED : OPTIONAL;
    if (fields_open(&fields, message, "", err) < 0 ||
        field_string(&fields, "type", REQUIRED, 16, &type) != 0 ||
        field_string(&fields, "format", REQUIRED, 16, &options->format) != 0 ||
        field_string(&fields, "compression", REQUIRED, 16, &options->compression) != 0 ||
        field_size(&fields, "size_bytes", REQUIRED, 1, INT64_MAX, &options->size_bytes) != 0 ||
        field_number(&fields, "created_ms", REQUIRED, 0, INT64_MAX, &options->created_ms) != 0 ||
        field_uuid(&fields, "snapshot", REQUIRED, options->snapshot) != 0 ||
        field_uuid(&fields, "since", OPTIONAL, options->since) != 0 ||
        field_size(&fields, "superblock", with_metadata, 0, INT64_MAX, &source->superblock) != 0 ||
        field_unsigned(&fields, "volume", with_metadata, 1, UINT32_MAX, &source->volume) != 0 ||
        field_unsigned(&fields, "since_volume", OPTIONAL, 1, UINT32_MAX, &source->since_volume) !=
            0 ||
        fields_end(&fields) != 0)
        return err_context(err, "the agent's export message");
    if (strcmp(type, "export") != 0)
        return err_set(err, ERR_INTERNAL, "the agent's first message is \"%s\"", type);
    bool delta = strcmp(options->format, "delta") == 0;
    if (delta != (source->since_volume != 0) || delta != (options->since[0] != '\0') ||
        (delta && !source->metadata))
        return err_set(err, ERR_INTERNAL, "the agent's export message contradicts itself");
    return 0;
}

static int send_message(struct wire *wire, json_t *message, struct err *err)
{
    int result = wire_send(wire, message, err);
    json_decref(message);
    return result;
}

static int progress(struct export *export, void *argument, struct err *err)
{
    struct teller *teller = argument;
    uint64_t now = monotonic_ms();
    if (now < teller->next_ms)
        return 0;
    teller->next_ms = now + PROGRESS_MS;
    return send_message(teller->wire,
                        json_pack("{s:s, s:I, s:I}", "type", "progress", "bytes",
                                  (json_int_t) export->sent_bytes, "done_bytes",
                                  (json_int_t) export->done_bytes),
                        err);
}

/* Past the page cache, so into aligned memory. */
static int read_metadata(void *argument, uint64_t block,
                         unsigned char data[static THIN_BLOCK_BYTES], struct err *err)
{
    static unsigned char aligned[THIN_BLOCK_BYTES] __attribute__((aligned(THIN_BLOCK_BYTES)));
    ssize_t got;
    (void)argument;
    do
        got = pread(METADATA_FD, aligned, sizeof(aligned), (off_t)(block * THIN_BLOCK_BYTES));
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof(aligned))
        return err_errno(err, ERR_STORAGE_ERROR, got < 0 ? errno : EIO,
                         "reading block %llu of the pool's metadata", (unsigned long long)block);
    memcpy(data, aligned, sizeof(aligned));
    return 0;
}

static void mark(void *argument, uint64_t block, bool data)
{
    export_map_mark(argument, block, data);
}

static int make_map(const struct source *source, uint64_t size_bytes, struct export_map *map,
                    struct err *err)
{
    off_t length = source->metadata ? lseek(METADATA_FD, 0, SEEK_END) : 0;
    struct thin_metadata metadata = {.read = read_metadata,
                                     .block_count = (uint64_t)length / THIN_BLOCK_BYTES};
    if (length < 0)
        return err_errno(err, ERR_STORAGE_ERROR, errno, "the size of the pool's metadata");
    if (!source->metadata) {
        export_map_whole(map, size_bytes);
        return 0;
    }
    if (thin_metadata_open(&metadata, source->superblock, err) < 0)
        return -1;
    export_map_open(map, size_bytes, metadata.data_block_bytes, source->since_volume != 0);
    int result =
        source->since_volume != 0
            ? thin_metadata_changed(&metadata, source->since_volume, source->volume, mark, map, err)
            : thin_metadata_mapped(&metadata, source->volume, mark, map, err);
    close(METADATA_FD);
    return result;
}

static int work(struct export *export, const struct export_options *options,
                const struct source *source, struct wire *wire, struct err *err)
{
    struct teller teller = {.wire = wire, .next_ms = monotonic_ms() + PROGRESS_MS};
    struct export_map map = {.block_count = 0};
    if (make_map(source, options->size_bytes, &map, err) < 0) {
        export_map_close(&map);
        return -1;
    }
    if (export_open(export, options, &map, VOLUME_FD, OUTPUT_FD, err) < 0)
        return -1;
    export->progress = progress;
    export->argument = &teller;
    json_t *ready =
        json_pack("{s:s, s:I}", "type", "ready", "length", (json_int_t)export_length(export));
    if (send_message(wire, ready, err) < 0)
        return -1;
    return export_run(export, err);
}

static json_t *outcome(const struct export *export, int result, const struct err *err)
{
    if (result != 0)
        return wire_failure(err);
    return json_pack("{s:s, s:I, s:I, s:s}", "type", "done", "bytes",
                     (json_int_t) export->sent_bytes, "read_bytes", (json_int_t) export->read_bytes,
                     "sha256", export->sha256);
}

static int run_export_order(struct wire *wire, struct err *err)
{
    struct export export = {.volume = -1};
    struct export_options options;
    struct source source;
    json_t *message = NULL;
    int received = wire_receive(wire, FIRST_MESSAGE_MS, &message, err);
    if (received <= 0)
        return received; /* 0: the agent went away */
    int result = read_options(message, &options, &source, err);
    if (result == 0)
        result = work(&export, &options, &source, wire, err);
    struct err ignored;
    close(OUTPUT_FD);
    if (send_message(wire, outcome(&export, result, err), &ignored) != 0)
        log_warning("%s", ignored.message);
    json_decref(message);
    export_close(&export);
    return result;
}

int main(void)
{
    return order_run("sliced-export", SANDBOX_EXPORT, run_export_order);
}
