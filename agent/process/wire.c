#include "process/wire.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/memory.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define HEADER_BYTES 4
#define READ_BYTES (64u << 10)
#define BUFFER_LIMIT (WIRE_MESSAGE_LIMIT + HEADER_BYTES)

void wire_init(struct wire *wire, int fd)
{
    *wire = (struct wire){.fd = fd};
}

void wire_free(struct wire *wire)
{
    free(wire->buffer);
    free(wire->output);
    *wire = (struct wire){.fd = -1};
}

/* The sockets may be non-blocking for the sake of an event loop. */
static int send_full(int fd, const char *data, size_t length, struct err *err)
{
    size_t done = 0;

    while (done < length) {
        ssize_t put = send(fd, data + done, length - done, MSG_NOSIGNAL);
        if (put >= 0) {
            done += (size_t)put;
        } else if (errno == EAGAIN) {
            struct pollfd room = {.fd = fd, .events = POLLOUT};
            poll(&room, 1, -1);
        } else if (errno != EINTR) {
            return err_errno(err, ERR_INTERNAL, errno, "cannot send a message");
        }
    }
    return 0;
}

/* The message's frame, owned by the caller; NULL at an error. */
static char *make_frame(const json_t *message, size_t *length, struct err *err)
{
    size_t body = json_dumpb(message, NULL, 0, JSON_COMPACT);
    char *frame;

    if (body == 0 || body > WIRE_MESSAGE_LIMIT) {
        if (body == 0)
            err_set(err, ERR_INTERNAL, "a message cannot be written as JSON");
        else
            err_set(err, ERR_INTERNAL, "a message of %zu bytes is too long", body);
        return NULL;
    }
    frame = xcalloc(1, HEADER_BYTES + body);
    for (unsigned i = 0; i < HEADER_BYTES; i++)
        frame[i] = (char)(body >> (8 * i) & 0xff);
    json_dumpb(message, frame + HEADER_BYTES, body, JSON_COMPACT);
    *length = HEADER_BYTES + body;
    return frame;
}

json_t *wire_failure(const struct err *failure)
{
    return json_pack("{s:s, s:s, s:o}", "type", "error", "code", err_code_name(failure->code),
                     "message", json_clean_string(failure->message));
}

int wire_send(struct wire *wire, const json_t *message, struct err *err)
{
    size_t length;
    CLEANUP_FREE char *frame = make_frame(message, &length, err);

    return frame ? send_full(wire->fd, frame, length, err) : -1;
}

int wire_flush(struct wire *wire, struct err *err)
{
    size_t done = 0;

    while (done < wire->output_used) {
        ssize_t put = send(wire->fd, wire->output + done, wire->output_used - done,
                           MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && errno == EAGAIN)
            break;
        if (put < 0 && errno != EINTR)
            return err_errno(err, ERR_INTERNAL, errno, "cannot send a message");
        if (put > 0)
            done += (size_t)put;
    }
    wire->output_used -= done;
    if (wire->output_used > 0) {
        memmove(wire->output, wire->output + done, wire->output_used);
        return 0;
    }
    free(wire->output);
    wire->output = NULL;
    return 1;
}

int wire_queue(struct wire *wire, const json_t *message, struct err *err)
{
    size_t length;
    CLEANUP_FREE char *frame = make_frame(message, &length, err);

    if (!frame)
        return -1;
    if (wire->output_used + length > WIRE_QUEUE_LIMIT)
        return err_set(err, ERR_INTERNAL, "%zu bytes wait to be read already", wire->output_used);
    wire->output = xrealloc(wire->output, wire->output_used + length);
    memcpy(wire->output + wire->output_used, frame, length);
    wire->output_used += length;
    return wire_flush(wire, err) < 0 ? -1 : 0;
}

int wire_fill(struct wire *wire, struct err *err)
{
    size_t room = BUFFER_LIMIT - wire->used;
    ssize_t got;

    /* A full buffer holds a whole message or a bad header: wire_take goes on from here. */
    if (room == 0 || wire->closed)
        return 0;
    if (room > READ_BYTES)
        room = READ_BYTES;
    if (wire->allocated < wire->used + room) {
        wire->allocated = wire->used + room;
        wire->buffer = xrealloc(wire->buffer, wire->allocated);
    }
    got = recv(wire->fd, wire->buffer + wire->used, room, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got < 0 && errno != ECONNRESET)
        return err_errno(err, ERR_INTERNAL, errno, "cannot receive a message");
    if (got <= 0)
        wire->closed = true;
    else
        wire->used += (size_t)got;
    return 0;
}

static size_t frame_length(const char *header)
{
    size_t length = 0;

    for (unsigned i = 0; i < HEADER_BYTES; i++)
        length |= (size_t)(unsigned char)header[i] << (8 * i);
    return length;
}

int wire_take(struct wire *wire, json_t **message, struct err *err)
{
    json_error_t problem;
    size_t length;
    json_t *taken;

    if (wire->used < HEADER_BYTES)
        return 0;
    length = frame_length(wire->buffer);
    if (length == 0 || length > WIRE_MESSAGE_LIMIT)
        return err_set(err, ERR_INTERNAL, "a message of %zu bytes is refused", length);
    if (wire->used < HEADER_BYTES + length)
        return 0;
    taken = json_loadb(wire->buffer + HEADER_BYTES, length, JSON_REJECT_DUPLICATES, &problem);
    if (!json_is_object(taken)) {
        json_decref(taken);
        return err_set(err, ERR_INTERNAL, "a message is no JSON object: %s",
                       taken ? "another type" : problem.text);
    }
    wire->used -= HEADER_BYTES + length;
    memmove(wire->buffer, wire->buffer + HEADER_BYTES + length, wire->used);
    *message = taken;
    return 1;
}

/* Milliseconds that poll may still wait, -1 for ever. */
static int time_left(int timeout_ms, uint64_t deadline)
{
    uint64_t now = monotonic_ms();

    if (timeout_ms < 0)
        return -1;
    return now < deadline ? (int)(deadline - now) : 0;
}

int wire_receive(struct wire *wire, int timeout_ms, json_t **message, struct err *err)
{
    uint64_t deadline = monotonic_ms() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0);

    for (;;) {
        struct pollfd readable = {.fd = wire->fd, .events = POLLIN};
        int result = wire_take(wire, message, err);

        if (result != 0)
            return result;
        if (wire->closed && wire->used > 0)
            return err_set(err, ERR_INTERNAL, "the connection ended within a message");
        if (wire->closed)
            return 0;
        result = poll(&readable, 1, time_left(timeout_ms, deadline));
        if (result == 0)
            return err_set(err, ERR_TIMEOUT, "no message within %d ms", timeout_ms);
        if (result < 0 && errno != EINTR)
            return err_errno(err, ERR_INTERNAL, errno, "cannot wait for a message");
        if (result > 0 && wire_fill(wire, err) < 0)
            return -1;
    }
}
