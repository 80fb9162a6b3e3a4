/* The local socket: bytes of a client, in pieces of the first byte's size. */
#include "api/socket.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/json.h"
#include "base/memory.h"
#include "fuzz.h"

#include "../../agent/api/socket.c" /* NOLINT */

#define SOCKET_ROOM (64u << 10)

static unsigned events;

static void read_console(void *context, const char *slice, uint64_t *offset, json_t **chunk)
{
    (void)context;
    REQUIRE(strlen(slice) < UUID_TEXT_BYTES);
    *offset += 1;
    *chunk = json_string("x");
}

/* Each way in which a method may treat a call, by its name. */
static void method(void *context, struct api_call *call, const char *name, const json_t *params)
{
    struct err err;
    const char *slice = json_string_value(json_object_get(params, "slice"));
    (void)context;
    REQUIRE(json_is_object(params));
    if (strcmp(name, "defer") == 0) {
        api_call_defer(call, slice != NULL ? slice : "tag");
    } else if (strcmp(name, "follow") == 0) {
        api_follow(call, json_string_value(json_object_get(params, "request")), slice);
        api_answer(call, NULL);
    } else if (strcmp(name, "console") == 0 && slice != NULL) {
        api_follow_console(call, slice, 0);
        api_answer(call, json_copy((json_t *)(uintptr_t)params));
    } else if (strcmp(name, "fail") == 0) {
        err_set(&err, ERR_INTERNAL, "%s", slice != NULL ? slice : "failed");
        api_fail(call, &err);
    } else {
        api_unknown_method(call, name);
    }
}

static void answer_deferred(void *context, struct api_call *call)
{
    (void)context;
    api_answer(call, NULL);
}

static void drain(int fd)
{
    char dropped[65536];
    while (recv(fd, dropped, sizeof(dropped), MSG_DONTWAIT) > 0)
        ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct loop *loop;
    struct api api = {.method = method, .fd = -1};
    struct client *client = xcalloc(1, sizeof(*client));
    int ends[2];
    CLEANUP_JSON json_t *event = json_pack("{s:s, s:s}", "request", "r", "slice", "s");

    if (loop == NULL)
        loop = loop_new();
    if (size < 1 || size > SOCKET_ROOM || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
        free(client);
        return 0;
    }
    api.loop = loop;
    api.clients = client;
    api.count = 1;
    client->api = &api;
    client->fd = ends[0];
    loop_watch(loop, ends[0], POLLIN, on_client, client);
    size_t piece = data[0] * 16u + 64;
    for (size_t at = 1; at < size && api.clients != NULL; at += piece) {
        size_t length = size - at < piece ? size - at : piece;
        REQUIRE(write(ends[1], data + at, length) == (ssize_t)length);
        on_client(client, ends[0], POLLIN);
        if (api.clients != NULL && events++ % 2 == 0) {
            api_event(&api, event);
            api_consoles(&api, read_console, NULL);
        }
        drain(ends[1]);
    }
    api_resume(&api, "tag", answer_deferred, NULL);
    while (api.clients != NULL)
        client_free(api.clients);
    close(ends[1]);
    return 0;
}
