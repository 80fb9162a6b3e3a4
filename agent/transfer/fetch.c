#include "transfer/fetch.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/json.h"
#include "base/memory.h"
#include "model/image.h"
#include "process/wire.h"
#include "transfer/side.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define STALL_SECONDS 120
/* As much as Linux gives (pipe-max-size). */
#define PIPE_BYTES (1 << 20)
#define LAST_WORD_MS 200

struct state {
    const struct transfer *transfer;
    struct side net;
    struct side import;
    uint64_t transferred; /* by net's account */
    uint64_t total;       /* 0: not known */
    uint64_t written;     /* by import's account */
    uint64_t moved_ms;    /* when one of these last changed */
    struct transfer_result result;
};

static int start_children(struct state *state, struct err *err)
{
    static const char *const net[] = {"sliced-net", "fetch", NULL};
    static const char *const import[] = {"sliced-import", NULL};
    const char *libexec = state->transfer->libexec;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(err, ERR_INTERNAL, errno, "pipe");
    fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES); /* fewer switches between the two; a hint */
    int to_import[] = {ends[0], state->transfer->output, state->transfer->scratch};
    size_t count = state->transfer->scratch >= 0 ? 3 : 2;
    int result = side_start(&state->net, libexec, net, &ends[1], 1, err);
    if (result == 0)
        result = side_start(&state->import, libexec, import, to_import, count, err);
    close(ends[0]);
    close(ends[1]);
    return result;
}

static const char *compression_name(enum compression compression)
{
    static const char *const names[] = {[COMPRESSION_NONE] = "none",
                                        [COMPRESSION_GZIP] = "gzip",
                                        [COMPRESSION_XZ] = "xz",
                                        [COMPRESSION_ZSTD] = "zstd"};
    return names[compression];
}

static const char *format_name(const struct transfer *transfer)
{
    static const char *const names[] = {[IMAGE_FORMAT_AUTO] = "auto",
                                        [IMAGE_FORMAT_RAW] = "raw",
                                        [IMAGE_FORMAT_QCOW2] = "qcow2",
                                        [IMAGE_FORMAT_VHD] = "vhd"};
    return transfer->kernel ? "kernel" : names[transfer->format];
}

static json_t *bytes_or_null(uint64_t bytes)
{
    return bytes != 0 ? json_integer((json_int_t)bytes) : json_null();
}

/* What can at most come through the pipe for an image that fits: incompressible data gets a little
 * longer by compression. */
static uint64_t transfer_limit(const struct transfer *transfer)
{
    uint64_t limit = transfer->scratch >= 0 && transfer->scratch_bytes > transfer->limit_bytes
                         ? transfer->scratch_bytes
                         : transfer->limit_bytes;
    return limit + limit / 16 + MIB;
}

static int send_orders(struct state *state, struct err *err)
{
    const struct transfer *transfer = state->transfer;
    CLEANUP_JSON json_t *fetch =
        json_pack("{s:s, s:s, s:o, s:o, s:I}", "type", "fetch", "url", transfer->url, "ca",
                  json_string_or_null(transfer->ca), "transfer_bytes",
                  bytes_or_null(transfer->transfer_bytes), "limit_bytes",
                  (json_int_t)transfer_limit(transfer));
    CLEANUP_JSON json_t *import = json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:I, s:o}", "type", "import", "format", format_name(transfer),
        "compression", compression_name(transfer->compression), "sha256",
        json_string_or_null(transfer->sha256), "transfer_bytes",
        bytes_or_null(transfer->transfer_bytes), "limit_bytes", (json_int_t)transfer->limit_bytes,
        "scratch_bytes", bytes_or_null(transfer->scratch >= 0 ? transfer->scratch_bytes : 0));
    if (!fetch || !import)
        return err_set(err, ERR_INVALID_ARGUMENT, "the image's URL is not valid UTF-8");
    if (wire_send(&state->import.wire, import, err) < 0)
        return -1;
    return wire_send(&state->net.wire, fetch, err);
}

static void note(struct state *state, uint64_t *counter, uint64_t value)
{
    if (value != *counter)
        state->moved_ms = monotonic_ms();
    *counter = value;
}

static int read_net(struct state *state, struct fields *fields, const char *type)
{
    uint64_t bytes = state->transferred;
    bool done = strcmp(type, "done") == 0;
    if (!done && strcmp(type, "progress") != 0)
        return err_set(fields->err, ERR_INTERNAL, "unknown message \"%.32s\"", type);
    if (field_size(fields, "bytes", REQUIRED, 0, INT64_MAX, &bytes) != 0 ||
        (!done && field_size(fields, "total", OPTIONAL, 0, INT64_MAX, &state->total) != 0))
        return -1;
    note(state, &state->transferred, bytes);
    state->net.ended = done;
    return fields_end(fields);
}

static int read_import(struct state *state, struct fields *fields, const char *type)
{
    struct transfer_result *result = &state->result;
    if (strcmp(type, "progress") == 0) {
        uint64_t taken = 0, written = 0;
        if (field_size(fields, "bytes", REQUIRED, 0, INT64_MAX, &written) != 0 ||
            field_size(fields, "transfer_bytes", REQUIRED, 0, INT64_MAX, &taken) != 0)
            return -1;
        note(state, &state->written, written + taken);
        return fields_end(fields);
    }
    if (strcmp(type, "done") != 0)
        return err_set(fields->err, ERR_INTERNAL, "unknown message \"%.32s\"", type);
    if (field_size(fields, "size_bytes", REQUIRED, 1, INT64_MAX, &result->size_bytes) != 0 ||
        field_size(fields, "transfer_bytes", REQUIRED, 1, INT64_MAX, &result->transfer_bytes) !=
            0 ||
        field_text(fields, "sha256", REQUIRED, result->sha256, sizeof(result->sha256)) != 0)
        return -1;
    if (!hex_valid(result->sha256, 32))
        return err_set(fields->err, ERR_INTERNAL, "the SHA-256 is malformed");
    if (result->size_bytes > state->transfer->limit_bytes)
        return err_set(fields->err, ERR_INTERNAL, "the size is beyond the limit");
    state->import.ended = true;
    return fields_end(fields);
}

static int read_message(void *context, struct side *side, struct fields *fields, const char *type)
{
    struct state *state = context;
    return side == &state->net ? read_net(state, fields, type) : read_import(state, fields, type);
}

/* Import's failure ends the transfer. Net's does when import has had its say, because net fails
 * as a consequence when import has gone; ERR_CANCELLED is how it says so. */
static bool is_over(const struct state *state)
{
    if (side_failed(&state->import))
        return true;
    if (side_failed(&state->net) && state->net.err.code != ERR_CANCELLED)
        return true;
    return state->net.ended && state->import.ended;
}

static int judge_import(const struct state *state, struct transfer_result *result, struct err *err)
{
    /* A stream that net could not finish looks truncated to import: net knows the cause. */
    const struct side *culprit = NULL;
    if (side_failed(&state->net) && state->net.err.code != ERR_CANCELLED)
        culprit = &state->net;
    else if (side_failed(&state->import))
        culprit = &state->import;
    else if (side_failed(&state->net))
        culprit = &state->net;
    if (culprit) {
        *err = culprit->err;
        return -1;
    }
    if (state->result.transfer_bytes != state->transferred)
        return err_set(err, ERR_INTERNAL, "%llu bytes were fetched and %llu imported",
                       (unsigned long long)state->transferred,
                       (unsigned long long)state->result.transfer_bytes);
    *result = state->result;
    return 0;
}

/* What a net that dies leaves open is closed in no order: import may have found the stream short
 * before it shows that net has gone. */
static int hear_net_out(struct state *state, struct err *err)
{
    uint64_t until = monotonic_ms() + LAST_WORD_MS, now;
    struct side *const sides[] = {&state->net};
    while (side_failed(&state->import) && !state->net.ended && (now = monotonic_ms()) < until)
        if (side_wait(sides, 1, (unsigned)(until - now), read_message, state, err) < 0)
            return -1;
    return 0;
}

static int run_import(struct state *state, transfer_progress *progress, void *argument,
                      struct err *err)
{
    const struct transfer *transfer = state->transfer;
    unsigned stall = transfer->stall_seconds != 0 ? transfer->stall_seconds : STALL_SECONDS;
    uint64_t next_tick = 0;
    state->moved_ms = monotonic_ms();
    struct side *const sides[] = {&state->net, &state->import};
    while (!is_over(state)) {
        uint64_t now = monotonic_ms();
        if (now >= next_tick && progress) {
            if (!progress(argument, state->transferred, state->total))
                return err_set(err, ERR_CANCELLED, "the transfer was cancelled");
            next_tick = now + SIDE_TICK_MS;
        }
        if (now >= state->moved_ms + (uint64_t)stall * 1000)
            return err_set(err, ERR_TIMEOUT, "the transfer stands still for %u s at byte %llu",
                           stall, (unsigned long long)state->transferred);
        if (side_wait(sides, ARRAY_LENGTH(sides), SIDE_TICK_MS, read_message, state, err) < 0)
            return -1;
    }
    return hear_net_out(state, err);
}

int transfer_image(const struct transfer *transfer, transfer_progress *progress, void *argument,
                   struct transfer_result *result, struct err *err)
{
    struct state state = {.transfer = transfer, .net = SIDE_NONE, .import = SIDE_NONE};
    int outcome = start_children(&state, err);
    if (outcome == 0)
        outcome = send_orders(&state, err);
    if (outcome == 0)
        outcome = run_import(&state, progress, argument, err);
    if (outcome == 0)
        outcome = judge_import(&state, result, err);
    side_stop(&state.net);
    side_stop(&state.import);
    return outcome;
}
