#include "transfer/side.h"

#include "base/err.h"
#include "base/json.h"
#include "base/memory.h"
#include "process/child.h"
#include "process/wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define FINISH_MS 5000

int side_start(struct side *side, const char *libexec, const char *const argv[],
               const int *descriptors, size_t count, struct err *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", libexec, argv[0]);
    if (child_spawn(path, argv, descriptors, count, &side->child, err) < 0)
        return -1;
    wire_init(&side->wire, side->child.socket);
    return 0;
}

static int read_error(struct fields *fields, struct side *side)
{
    char code[64] = "";
    const char *message = NULL;
    if (field_text(fields, "code", REQUIRED, code, sizeof(code)) != 0 ||
        field_string(fields, "message", REQUIRED, ERR_MESSAGE_BYTES, &message) != 0)
        return -1;
    if (fields_end(fields) != 0)
        return -1;
    side->ended = true;
    err_set(&side->err, err_code_from_name(code), "%s", message);
    if (side->err.code == ERR_NONE)
        side->err.code = ERR_INTERNAL;
    return 0;
}

int side_read(struct side *side, const json_t *message, side_reader *reader, void *context,
              struct err *err)
{
    struct fields fields;
    char type[32] = "";
    if (fields_open(&fields, message, "", err) < 0 ||
        field_text(&fields, "type", REQUIRED, type, sizeof(type)) != 0)
        return -1;
    if (strcmp(type, "error") == 0)
        return read_error(&fields, side);
    return reader(context, side, &fields, type);
}

static int read_messages(struct side *side, side_reader *reader, void *context, struct err *err)
{
    if (wire_fill(&side->wire, err) < 0)
        return -1;
    json_t *message = NULL;
    int taken = 0;
    while (!side->ended && (taken = wire_take(&side->wire, &message, err)) == 1) {
        int result = side_read(side, message, reader, context, err);
        json_decref(message);
        if (result != 0)
            return -1;
    }
    return taken < 0 ? -1 : 0;
}

static void listen_to(struct side *side, side_reader *reader, void *context)
{
    if (read_messages(side, reader, context, &side->err) != 0) {
        side->err.code = ERR_INTERNAL;
        err_context(&side->err, "%s", side->child.name);
        side->ended = true;
    } else if (side->wire.closed && !side->ended) {
        if (child_finish(&side->child, FINISH_MS, &side->err) == 0)
            err_set(&side->err, ERR_INTERNAL, "%s left without a word", side->child.name);
        side->ended = true;
    }
}

int side_wait(struct side *const sides[], size_t count, unsigned timeout_ms, side_reader *reader,
              void *context, struct err *err)
{
    struct pollfd ready[SIDES_MAX];
    for (size_t index = 0; index < count; index++)
        ready[index] = (struct pollfd){.fd = sides[index]->ended ? -1 : sides[index]->child.socket,
                                       .events = POLLIN};
    if (poll(ready, count, (int)timeout_ms) < 0 && errno != EINTR)
        return err_errno(err, ERR_INTERNAL, errno, "poll");
    for (size_t index = 0; index < count; index++)
        if (ready[index].fd >= 0 && ready[index].revents != 0)
            listen_to(sides[index], reader, context);
    return 0;
}

bool side_failed(const struct side *side)
{
    return side->ended && side->err.code != ERR_NONE;
}

void side_stop(struct side *side)
{
    child_stop(&side->child);
    wire_free(&side->wire);
}
