/* Frames from a child: the first byte is the size of the pieces that they come in. */
#include "fuzz.h"
#include "process/wire.h"

#include <sys/socket.h>
#include <unistd.h>

#define SOCKET_ROOM (64u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire wire;
    int ends[2], result = 0;
    size_t piece;

    if (size == 0 || size > SOCKET_ROOM || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
        return 0;
    piece = data[0] + 1u;
    data++;
    size--;
    wire_init(&wire, ends[0]);
    while (result >= 0 && !wire.closed) {
        json_t *message = NULL;
        size_t next = size < piece ? size : piece;

        if (next > 0)
            REQUIRE(write(ends[1], data, next) == (ssize_t)next);
        else
            shutdown(ends[1], SHUT_WR);
        data += next;
        size -= next;
        result = wire_fill(&wire, NULL);
        while (result >= 0 && (result = wire_take(&wire, &message, NULL)) > 0) {
            REQUIRE(json_is_object(message));
            json_decref(message);
        }
    }
    wire_free(&wire);
    close(ends[0]);
    close(ends[1]);
    return 0;
}
