/* sliced-import: takes one image from a pipe and writes it to a volume, under the sandbox.
 * Descriptor 3 is the wire to the agent, 4 the pipe, 5 the volume, 6 the scratch volume if the
 * order speaks of one. */
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "import/import.h"
#include "process/helper.h"
#include "process/sandbox.h"
#include "process/wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define WIRE_FD 3
#define INPUT_FD 4
#define OUTPUT_FD 5
#define SCRATCH_FD 6
#define FIRST_MESSAGE_MS 30000
#define PROGRESS_MS 1000
/* Received at a time. Ten times as much is no faster. */
#define READ_BYTES (256u << 10)

/* The message stays the owner of the options' texts. */
static int read_options(const json_t *message, struct import_options *options, struct err *err)
{
    struct fields fields;
    const char *type = NULL;
    *options = (struct import_options){.sha256 = ""};
    if (fields_open(&fields, message, "", err) < 0 ||
        field_string(&fields, "type", REQUIRED, 16, &type) != 0 ||
        field_string(&fields, "format", REQUIRED, 16, &options->format) != 0 ||
        field_string(&fields, "compression", REQUIRED, 16, &options->compression) != 0 ||
        field_string(&fields, "sha256", OPTIONAL, IMPORT_SHA256_TEXT_BYTES, &options->sha256) !=
            0 ||
        field_size(&fields, "transfer_bytes", OPTIONAL, 1, INT64_MAX, &options->transfer_bytes) !=
            0 ||
        field_size(&fields, "limit_bytes", REQUIRED, 1, INT64_MAX, &options->limit_bytes) != 0 ||
        field_size(&fields, "scratch_bytes", OPTIONAL, 1, INT64_MAX, &options->scratch_bytes) !=
            0 ||
        fields_end(&fields) != 0)
        return err_context(err, "the agent's import message");
    if (!options->sha256)
        options->sha256 = "";
    if (strcmp(type, "import") != 0)
        return err_set(err, ERR_INTERNAL, "the agent's first message is \"%s\"", type);
    return 0;
}

struct progress {
    struct wire *wire;
    const struct import *import;
    uint64_t next_ms;
};

static int send_progress(struct wire *wire, const struct import *import, struct err *err)
{
    json_t *message = json_pack("{s:s, s:I, s:I}", "type", "progress", "bytes",
                                (json_int_t)import_moved_bytes(import), "transfer_bytes",
                                (json_int_t)import->transfer_bytes);
    int result = wire_send(wire, message, err);
    json_decref(message);
    return result;
}

static int tell_progress(struct progress *progress, struct err *err)
{
    if (monotonic_ms() < progress->next_ms)
        return 0;
    progress->next_ms = monotonic_ms() + PROGRESS_MS;
    return send_progress(progress->wire, progress->import, err);
}

/* During a conversion, when no input is waited for. */
static int tick(void *argument, struct err *err)
{
    struct pollfd ready = {.fd = WIRE_FD, .events = POLLIN};
    if (poll(&ready, 1, 0) > 0)
        return err_set(err, ERR_CANCELLED, "the agent ended the import");
    return tell_progress(argument, err);
}

/* Waits for input while listening for the agent's going away, the only thing it has to say. */
static int wait_for_input(struct err *err)
{
    struct pollfd ready[] = {{.fd = INPUT_FD, .events = POLLIN}, {.fd = WIRE_FD, .events = POLLIN}};
    while (poll(ready, ARRAY_LENGTH(ready), -1) < 0)
        if (errno != EINTR)
            return err_errno(err, ERR_INTERNAL, errno, "poll");
    if (ready[1].revents != 0)
        return err_set(err, ERR_CANCELLED, "the agent ended the import");
    return 0;
}

static int copy(struct import *import, struct wire *wire, struct err *err)
{
    CLEANUP_FREE unsigned char *data = xcalloc(1, READ_BYTES);
    struct progress progress = {
        .wire = wire, .import = import, .next_ms = monotonic_ms() + PROGRESS_MS};
    import->format.tick = tick;
    import->format.argument = &progress;
    for (;;) {
        if (wait_for_input(err) < 0)
            return -1;
        ssize_t count = read(INPUT_FD, data, READ_BYTES);
        if (count == 0)
            return import_finish(import, err);
        if (count < 0 && errno != EINTR)
            return err_errno(err, ERR_INTERNAL, errno, "reading the image");
        if (count > 0 && import_feed(import, data, (size_t)count, err) < 0)
            return -1;
        if (tell_progress(&progress, err) < 0)
            return -1;
    }
}

static json_t *outcome(const struct import *import, int result, const struct err *err)
{
    if (result != 0)
        return wire_failure(err);
    return json_pack("{s:s, s:I, s:I, s:s}", "type", "done", "size_bytes",
                     (json_int_t)import->format.size_bytes, "transfer_bytes",
                     (json_int_t)import->transfer_bytes, "sha256", import->sha256);
}

static int run_import_order(struct wire *wire, struct err *err)
{
    struct import import = {0};
    struct import_options options;
    json_t *message = NULL;
    int received = wire_receive(wire, FIRST_MESSAGE_MS, &message, err);
    if (received <= 0)
        return received; /* 0: the agent went away */
    int result = read_options(message, &options, err);
    if (result == 0) {
        result = import_open(&import, &options, OUTPUT_FD,
                             options.scratch_bytes != 0 ? SCRATCH_FD : -1, err);
        if (result == 0)
            result = copy(&import, wire, err);
        close(INPUT_FD); /* before the report: the sender then fails for a reason that is known */
    }
    json_t *report = outcome(&import, result, err);
    struct err ignored;
    if (report && wire_send(wire, report, &ignored) != 0)
        log_warning("%s", ignored.message);
    json_decref(report);
    json_decref(message);
    import_close(&import);
    return result;
}

int main(void)
{
    return order_run("sliced-import", SANDBOX_IMPORT, run_import_order);
}
