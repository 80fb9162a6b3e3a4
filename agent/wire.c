#include "wire.h"

#include "util.h"

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

int wire_send(struct wire *wire, const json_t *message, struct err *err)
{
    size_t length = json_dumpb(message, NULL, 0, JSON_COMPACT);
    CLEANUP_FREE char *frame = NULL;

    if (length == 0)
        return err_set(err, ERR_INTERNAL, "a message cannot be written as JSON");
    if (length > WIRE_MESSAGE_LIMIT)
        return err_set(err, ERR_INTERNAL, "a message of %zu bytes is too long", length);
    frame = xcalloc(1, HEADER_BYTES + length);
    for (unsigned i = 0; i < HEADER_BYTES; i++)
        frame[i] = (char)(length >> (8 * i) & 0xff);
    json_dumpb(message, frame + HEADER_BYTES, length, JSON_COMPACT);
    return send_full(wire->fd, frame, HEADER_BYTES + length, err);
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
