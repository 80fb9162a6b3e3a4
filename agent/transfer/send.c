#include "transfer/send.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/json.h"
#include "base/memory.h"
#include "model/export.h"
#include "process/wire.h"
#include "transfer/side.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* As much as Linux gives (pipe-max-size). */
#define PIPE_BYTES (1 << 20)
/* sliced-net tells a server that stands still better than we do, so it is given time to. */
#define STALL_GRACE_SECONDS 20

struct state {
    const struct transfer_export *job;
    struct side export;
    struct side net;
    int pipe[2];
    bool ready;
    uint64_t length;   /* of the stream; 0: not known */
    uint64_t made;     /* bytes by the exporter's account */
    uint64_t done;     /* of the disk, likewise */
    uint64_t sent;     /* bytes by net's account */
    uint64_t moved_ms; /* when one of these last changed */
    struct transfer_export_result result;
};

static bool to_url(const struct state *state)
{
    return state->job->args->url[0] != '\0';
}

static void close_pipe(struct state *state)
{
    for (unsigned i = 0; i < ARRAY_LENGTH(state->pipe); i++)
        cleanup_close(&state->pipe[i]);
    state->pipe[0] = state->pipe[1] = -1;
}

static int start_export(struct state *state, struct err *err)
{
    static const char *const arguments[] = {"sliced-export", NULL};
    const struct transfer_export *job = state->job;
    if (to_url(state) && pipe2(state->pipe, O_CLOEXEC) != 0)
        return err_errno(err, ERR_INTERNAL, errno, "pipe");
    if (to_url(state))
        fcntl(state->pipe[1], F_SETPIPE_SZ,
              PIPE_BYTES); /* fewer switches between the two; a hint */
    int descriptors[] = {to_url(state) ? state->pipe[1] : job->output, job->volume, job->metadata};
    size_t count = job->metadata >= 0 ? 3 : 2;
    if (side_start(&state->export, job->libexec, arguments, descriptors, count, err) < 0)
        return -1;
    CLEANUP_JSON json_t *order =
        json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "type", "export", "format",
                  export_format_name(job->args), "compression", export_compression_name(job->args),
                  "size_bytes", (json_int_t)job->size_bytes, "created_ms",
                  (json_int_t)job->created_ms, "snapshot", job->args->snapshot);
    if (job->metadata >= 0) {
        json_object_set_new(order, "superblock", json_integer((json_int_t)job->superblock));
        json_object_set_new(order, "volume", json_integer(job->thin_id));
    }
    if (job->since_id) {
        json_object_set_new(order, "since", json_string(job->args->since));
        json_object_set_new(order, "since_volume", json_integer(job->since_id));
    }
    return wire_send(&state->export.wire, order, err);
}

static int start_net(struct state *state, struct err *err)
{
    static const char *const arguments[] = {"sliced-net", "upload", NULL};
    const struct transfer_export *job = state->job;
    const struct export_args *args = job->args;
    int result = side_start(&state->net, job->libexec, arguments, &state->pipe[0], 1, err);
    close_pipe(state);
    if (result != 0)
        return -1;
    CLEANUP_JSON json_t *order =
        json_pack("{s:s, s:s, s:o, s:o, s:o, s:i}", "type", "upload", "url", args->url, "ca",
                  job->ca ? json_string(job->ca) : json_null(), "headers",
                  args->headers ? json_deep_copy(args->headers) : json_null(), "length",
                  state->length != 0 ? json_integer((json_int_t)state->length) : json_null(),
                  "stall_seconds", (int)args->stall_seconds);
    if (!order)
        return err_set(err, ERR_INVALID_ARGUMENT, "the URL is not valid UTF-8");
    return wire_send(&state->net.wire, order, err);
}

/* --- What the two say ------------------------------------------------------------------------- */

static void note(struct state *state, uint64_t *counter, uint64_t value)
{
    if (value != *counter)
        state->moved_ms = monotonic_ms();
    *counter = value;
}

static int read_net(struct state *state, struct fields *fields, const char *type)
{
    uint64_t bytes = 0;
    bool done = strcmp(type, "done") == 0;
    if (!done && strcmp(type, "progress") != 0)
        return err_set(fields->err, ERR_INTERNAL, "unknown message \"%.32s\"", type);
    if (field_size(fields, "bytes", REQUIRED, 0, INT64_MAX, &bytes) != 0)
        return -1;
    note(state, &state->sent, bytes);
    state->net.ended = done;
    return fields_end(fields);
}

static int read_done(struct state *state, struct fields *fields)
{
    struct transfer_export_result *result = &state->result;
    if (field_size(fields, "bytes", REQUIRED, 1, INT64_MAX, &result->bytes) != 0 ||
        field_size(fields, "read_bytes", REQUIRED, 0, INT64_MAX, &result->read_bytes) != 0 ||
        field_text(fields, "sha256", REQUIRED, result->sha256, sizeof(result->sha256)) != 0 ||
        fields_end(fields) != 0)
        return -1;
    if (!hex_valid(result->sha256, 32))
        return err_set(fields->err, ERR_INTERNAL, "the SHA-256 is malformed");
    if (state->length != 0 && result->bytes != state->length)
        return err_set(fields->err, ERR_INTERNAL, "%llu bytes came of %llu",
                       (unsigned long long)result->bytes, (unsigned long long)state->length);
    state->export.ended = true;
    if (!to_url(state))
        return 0;
    CLEANUP_JSON json_t *end =
        json_pack("{s:s, s:I}", "type", "end", "bytes", (json_int_t)result->bytes);
    /* When net has gone it has said why. */
    wire_send(&state->net.wire, end, NULL);
    return 0;
}

static int read_export(struct state *state, struct fields *fields, const char *type)
{
    uint64_t made = state->made, done = state->done;
    if (strcmp(type, "ready") == 0 && !state->ready) {
        if (field_size(fields, "length", REQUIRED, 0, INT64_MAX, &state->length) != 0 ||
            fields_end(fields) != 0)
            return -1;
        state->ready = true;
        if (state->job->mapped)
            state->job->mapped(state->job->argument);
        return to_url(state) ? start_net(state, fields->err) : 0;
    }
    if (strcmp(type, "done") == 0 && state->ready)
        return read_done(state, fields);
    if (strcmp(type, "progress") != 0)
        return err_set(fields->err, ERR_INTERNAL, "unexpected message \"%.32s\"", type);
    if (field_size(fields, "bytes", REQUIRED, 0, INT64_MAX, &made) != 0 ||
        field_size(fields, "done_bytes", REQUIRED, 0, INT64_MAX, &done) != 0)
        return -1;
    note(state, &state->made, made);
    note(state, &state->done, done);
    return fields_end(fields);
}

static int read_message(void *context, struct side *side, struct fields *fields, const char *type)
{
    struct state *state = context;
    return side == &state->net ? read_net(state, fields, type) : read_export(state, fields, type);
}

/* --- Its course ------------------------------------------------------------------------------- */

/* Each fails as a consequence when the other has gone, and says so by ERR_CANCELLED; then the other
 * one is still to be heard. */
static bool is_over(const struct state *state)
{
    bool heard = !to_url(state) || !state->ready || state->net.ended;
    if (side_failed(&state->net))
        return state->net.err.code != ERR_CANCELLED || state->export.ended;
    if (side_failed(&state->export))
        return state->export.err.code != ERR_CANCELLED || heard;
    return state->export.ended && heard;
}

static int judge_export(const struct state *state, struct transfer_export_result *result,
                        struct err *err)
{
    const struct side *culprit = NULL;
    if (side_failed(&state->net) && state->net.err.code != ERR_CANCELLED)
        culprit = &state->net;
    else if (side_failed(&state->export))
        culprit = &state->export;
    else if (side_failed(&state->net))
        culprit = &state->net;
    if (culprit) {
        *err = culprit->err;
        return -1;
    }
    if (to_url(state) && state->sent != state->result.bytes)
        return err_set(err, ERR_INTERNAL, "%llu bytes were made and %llu sent",
                       (unsigned long long)state->result.bytes, (unsigned long long)state->sent);
    *result = state->result;
    return 0;
}

static void log_export(const struct state *state)
{
    const struct transfer_export *job = state->job;
    int percent = (int)(100.0 * (double)state->done / (double)job->size_bytes);
    if (job->progress)
        job->progress(job->argument, percent < 100 ? percent : 100);
}

static int run_export(struct state *state, struct err *err)
{
    struct side *const sides[] = {&state->export, &state->net};
    unsigned stall = state->job->args->stall_seconds;
    uint64_t patience_ms = (stall + (to_url(state) ? STALL_GRACE_SECONDS : 0)) * UINT64_C(1000);
    uint64_t next_tick = 0;
    state->moved_ms = monotonic_ms();
    while (!is_over(state)) {
        uint64_t now = monotonic_ms();
        if (now >= next_tick) {
            log_export(state);
            next_tick = now + SIDE_TICK_MS;
        }
        if (now >= state->moved_ms + patience_ms)
            return err_set(err, ERR_TIMEOUT, "the export stands still for %llu s at byte %llu",
                           (unsigned long long)patience_ms / 1000,
                           (unsigned long long)(to_url(state) ? state->sent : state->made));
        if (side_wait(sides, ARRAY_LENGTH(sides), SIDE_TICK_MS, read_message, state, err) < 0)
            return -1;
    }
    return 0;
}

int transfer_export(const struct transfer_export *job, struct transfer_export_result *result,
                    struct err *err)
{
    struct state state = {.job = job, .export = SIDE_NONE, .net = SIDE_NONE, .pipe = {-1, -1}};
    int outcome = start_export(&state, err);
    if (outcome == 0)
        outcome = run_export(&state, err);
    if (outcome == 0)
        outcome = judge_export(&state, result, err);
    /* Net first: the end of a pipe is not to look like the end of the stream. */
    side_stop(&state.net);
    side_stop(&state.export);
    close_pipe(&state);
    return outcome;
}
