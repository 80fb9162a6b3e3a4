#include "api/socket.h"

#include "base/err.h"
#include "base/ident.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "node/agent.h"
#include "process/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Of root's, on this machine. More are turned away, and that is logged. */
#define CLIENTS_MAX 64
/* Twice the longest request (a slice with all its keys and user data). Who sends more is dropped,
 * and that is logged. */
#define LINE_LIMIT (1u << 20)
/* Of a client that does not read. One answer may be longer: it is root who has asked for it. */
#define OUTPUT_LIMIT (8u << 20)
#define READ_BYTES 65536
#define BACKLOG 128

struct api_call {
    struct client *client;
    json_t *id;
    char tag[64]; /* "": not deferred */
    struct api_call *next;
};

struct client {
    struct api *api;
    int fd;
    char *input;
    size_t input_used;
    char *output;
    size_t output_used;
    size_t output_room;
    struct api_call *calls;
    bool follows;
    char request[UUID_TEXT_BYTES];
    char slice[UUID_TEXT_BYTES];
    char console[UUID_TEXT_BYTES];
    uint64_t console_offset;
    int descriptor; /* that came last and was not taken; -1 for none */
    bool ending;    /* closed after the present callback */
    struct client *next;
};

struct api {
    struct loop *loop;
    int fd;
    char *path;
    api_method *method;
    void *context;
    struct client *clients;
    unsigned count;
};

/* As recv. Of the descriptors that come along the last one is kept. */
static ssize_t receive(struct client *client, void *data, size_t size)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {.iov_base = data, .iov_len = size};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    ssize_t got = recvmsg(client->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    for (struct cmsghdr *header = got >= 0 ? CMSG_FIRSTHDR(&message) : NULL; header;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        cleanup_close(&client->descriptor);
        memcpy(&client->descriptor, CMSG_DATA(header), sizeof(client->descriptor));
    }
    return got;
}

static void on_client(void *context, int fd, short events);

/* --- Clients ---------------------------------------------------------------------------------- */

static void call_free(struct api_call *call)
{
    for (struct api_call **place = &call->client->calls; *place; place = &(*place)->next) {
        if (*place == call) {
            *place = call->next;
            break;
        }
    }
    json_decref(call->id);
    free(call);
}

static void client_free(struct client *client)
{
    struct api *api = client->api;
    for (struct client **place = &api->clients; *place; place = &(*place)->next) {
        if (*place == client) {
            *place = client->next;
            break;
        }
    }
    while (client->calls)
        call_free(client->calls);
    loop_unwatch(api->loop, client->fd);
    close(client->fd);
    cleanup_close(&client->descriptor);
    free(client->input);
    free(client->output);
    free(client);
    api->count--;
}

static void flush(struct client *client)
{
    size_t sent = 0;
    while (sent < client->output_used) {
        ssize_t put = send(client->fd, client->output + sent, client->output_used - sent,
                           MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno != EAGAIN)
            client->ending = true;
        if (put < 0)
            break;
        sent += (size_t)put;
    }
    /* Of one that does not read nothing was sent, and there may be megabytes. */
    if (sent > 0)
        memmove(client->output, client->output + sent, client->output_used - sent);
    client->output_used -= sent;
    loop_watch(client->api->loop, client->fd,
               (short)(POLLIN | (client->output_used || client->ending ? POLLOUT : 0)), on_client,
               client);
}

/* Grows by half, lest many small answers copy the whole for each. What was needed once is kept. */
static void make_room(struct client *client, size_t more)
{
    size_t needed = client->output_used + more;
    if (needed <= client->output_room)
        return;
    client->output_room = needed + needed / 2;
    client->output = xrealloc(client->output, client->output_room);
}

/* Takes `message` over. */
static void send_message(struct client *client, json_t *message)
{
    size_t length = json_dumpb(message, NULL, 0, JSON_COMPACT);
    if (client->output_used > 0 && client->output_used + length + 1 > OUTPUT_LIMIT) {
        log_warning("a client of the local socket does not read: dropped");
        client->ending = true;
        client->output_used = 0;
    } else {
        make_room(client, length + 1);
        json_dumpb(message, client->output + client->output_used, length, JSON_COMPACT);
        client->output[client->output_used + length] = '\n';
        client->output_used += length + 1;
    }
    json_decref(message);
    flush(client);
}

/* --- Calls ------------------------------------------------------------------------------------ */

void api_answer(struct api_call *call, json_t *result)
{
    struct client *client = call->client;
    json_t *message = json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", call->id, "result",
                                result ? result : json_null());
    call_free(call);
    send_message(client, message);
}

static void call_fail(struct api_call *call, int number, const char *text, const char *code)
{
    struct client *client = call->client;
    json_t *error = json_pack("{s:i, s:o}", "code", number, "message", json_clean_string(text));
    if (code)
        json_object_set_new(error, "data", json_pack("{s:s}", "code", code));
    json_t *message =
        json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", call->id, "error", error);
    call_free(call);
    send_message(client, message);
}

void api_fail(struct api_call *call, const struct err *error)
{
    call_fail(call, -32000, error->message, err_code_name(error->code));
}

void api_unknown_method(struct api_call *call, const char *method)
{
    CLEANUP_FREE char *text = xasprintf("there is no method %.64s", method);
    call_fail(call, -32601, text, err_code_name(ERR_UNKNOWN_OPERATION));
}

int api_take_descriptor(struct api_call *call)
{
    int descriptor = call->client->descriptor;
    call->client->descriptor = -1;
    return descriptor;
}

void api_call_defer(struct api_call *call, const char *tag)
{
    copy_text(call->tag, sizeof(call->tag), tag);
}

static struct api_call *find_call(struct api *api, const char *tag)
{
    for (struct client *client = api->clients; client; client = client->next)
        for (struct api_call *call = client->calls; call; call = call->next)
            if (strcmp(call->tag, tag) == 0)
                return call;
    return NULL;
}

void api_resume(struct api *api, const char *tag,
                void (*answer)(void *context, struct api_call *call), void *context)
{
    struct api_call *call;
    while ((call = find_call(api, tag)))
        answer(context, call);
}

static void dispatch(struct client *client, const char *line, size_t length)
{
    json_error_t problem;
    json_t *message = json_loadb(line, length, JSON_REJECT_DUPLICATES, &problem);
    json_t *id = json_object_get(message, "id"), *params = json_object_get(message, "params");
    const char *method = json_string_value(json_object_get(message, "method"));
    struct api_call *call = xcalloc(1, sizeof(*call));
    call->client = client;
    call->id = id ? json_incref(id) : json_null();
    call->next = client->calls;
    client->calls = call;
    json_t *empty = json_object();
    if (!message)
        call_fail(call, -32700, problem.text, NULL);
    else if (!method || (params && !json_is_object(params)))
        call_fail(call, -32600, "a request is an object with method, id and an object of params",
                  NULL);
    else
        client->api->method(client->api->context, call, method, params ? params : empty);
    json_decref(empty);
    json_decref(message);
}

static void take_lines(struct client *client)
{
    char *end;
    while (!client->ending && (end = memchr(client->input, '\n', client->input_used))) {
        size_t length = (size_t)(end - client->input);
        CLEANUP_FREE char *line = xcalloc(1, length + 1);
        memcpy(line, client->input, length);
        client->input_used -= length + 1;
        memmove(client->input, end + 1, client->input_used);
        if (length > 0)
            dispatch(client, line, length);
    }
    if (client->input_used > LINE_LIMIT) {
        log_warning("a client of the local socket sent a line that is too long: dropped");
        client->ending = true;
    }
}

static void on_client(void *context, int fd, short events)
{
    struct client *client = context;
    (void)fd;
    if (events & POLLOUT)
        flush(client);
    if (events & (POLLIN | POLLHUP | POLLERR)) {
        client->input = xrealloc(client->input, client->input_used + READ_BYTES);
        ssize_t got = receive(client, client->input + client->input_used, READ_BYTES);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            client->ending = true;
        } else if (got > 0) {
            client->input_used += (size_t)got;
            take_lines(client);
        }
    }
    if (client->ending)
        client_free(client);
}

static void on_listen(void *context, int fd, short events)
{
    struct api *api = context;
    (void)events;
    int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (accepted < 0)
        return;
    if (api->count >= CLIENTS_MAX) {
        log_warning("too many clients of the local socket");
        close(accepted);
        return;
    }
    struct client *client = xcalloc(1, sizeof(*client));
    client->api = api;
    client->fd = accepted;
    client->descriptor = -1;
    client->next = api->clients;
    api->clients = client;
    api->count++;
    loop_watch(api->loop, accepted, POLLIN, on_client, client);
}

/* --- Followers -------------------------------------------------------------------------------- */

void api_follow(struct api_call *call, const char *request, const char *slice)
{
    call->client->follows = true;
    copy_text(call->client->request, UUID_TEXT_BYTES, request ? request : "");
    copy_text(call->client->slice, UUID_TEXT_BYTES, slice ? slice : "");
}

void api_follow_console(struct api_call *call, const char *slice, uint64_t offset)
{
    copy_text(call->client->console, UUID_TEXT_BYTES, slice);
    call->client->console_offset = offset;
}

static bool wanted(const char *filter, const json_t *event, const char *name)
{
    const char *value = json_string_value(json_object_get(event, name));
    return !filter[0] || (value && strcmp(value, filter) == 0);
}

void api_event(struct api *api, const json_t *event)
{
    for (struct client *client = api->clients; client; client = client->next)
        if (client->follows && !client->ending && wanted(client->request, event, "request") &&
            wanted(client->slice, event, "slice"))
            send_message(client, json_pack("{s:s, s:s, s:O}", "jsonrpc", "2.0", "method", "event",
                                           "params", event));
}

void api_consoles(struct api *api,
                  void (*read)(void *context, const char *slice, uint64_t *offset, json_t **chunk),
                  void *context)
{
    for (struct client *client = api->clients; client; client = client->next) {
        json_t *chunk = NULL;
        if (!client->console[0] || client->ending || client->output_used > 0)
            continue;
        read(context, client->console, &client->console_offset, &chunk);
        if (chunk)
            send_message(client,
                         json_pack("{s:s, s:s, s:{s:s, s:o}}", "jsonrpc", "2.0", "method",
                                   "console", "params", "slice", client->console, "text", chunk));
    }
}

bool api_has_console_followers(const struct api *api)
{
    for (const struct client *client = api->clients; client; client = client->next)
        if (client->console[0])
            return true;
    return false;
}

/* --- The socket ------------------------------------------------------------------------------- */

int api_open(struct loop *loop, const char *path, api_method *method, void *context,
             struct api **api, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!copy_text(address.sun_path, sizeof(address.sun_path), path))
        return err_set(err, ERR_INVALID_ARGUMENT, "the socket's path %s is too long", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(path);
    mode_t mask = umask(0177);
    int bound = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&address, sizeof(address));
    umask(mask);
    if (bound < 0 || listen(fd, BACKLOG) < 0) {
        int error_number = errno;
        if (fd >= 0)
            close(fd);
        return err_errno(err, ERR_INTERNAL, error_number, "cannot listen on %s", path);
    }
    *api = xcalloc(1, sizeof(**api));
    (*api)->loop = loop;
    (*api)->fd = fd;
    (*api)->path = xstrdup(path);
    (*api)->method = method;
    (*api)->context = context;
    loop_watch(loop, fd, POLLIN, on_listen, *api);
    return 0;
}

void api_close(struct api *api)
{
    if (!api)
        return;
    while (api->clients)
        client_free(api->clients);
    loop_unwatch(api->loop, api->fd);
    close(api->fd);
    unlink(api->path);
    free(api->path);
    free(api);
}
