/* The connection to sliced. */
#include "ctl/link.h"

#include "base/err.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "ctl/print.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_BYTES 65536

static void no_agent(const struct control *control, const char *why)
{
    fprintf(stderr, "slicectl: sliced does not answer at %s: %s\n", control->socket_path, why);
    exit(EXIT_NO_AGENT);
}

static void need_connection(struct control *control)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (control->fd >= 0)
        return;
    if (!copy_text(address.sun_path, sizeof(address.sun_path), control->socket_path))
        no_agent(control, "the path is too long");
    control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (control->fd < 0 || connect(control->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        no_agent(control, strerror(errno));
}

/* One line from sliced as an object. */
static json_t *receive(struct control *control)
{
    for (;;) {
        char *end = control->used ? memchr(control->buffer, '\n', control->used) : NULL;
        if (end) {
            size_t length = (size_t)(end - control->buffer);
            json_t *message = json_loadb(control->buffer, length, 0, NULL);
            control->used -= length + 1;
            memmove(control->buffer, end + 1, control->used);
            if (message)
                return message;
            no_agent(control, "its answer is malformed");
        }
        control->buffer = xrealloc(control->buffer, control->used + READ_BYTES);
        ssize_t got = read(control->fd, control->buffer + control->used, READ_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            no_agent(control, got < 0 ? strerror(errno) : "it closed the connection");
        control->used += (size_t)got;
    }
}

static bool notify(struct control *control, const json_t *message)
{
    const char *method = json_string_value(json_object_get(message, "method"));
    if (!method)
        return false;
    if (control->notified)
        control->notified(control, method, json_object_get(message, "params"));
    return true;
}

/* The first byte takes the descriptor along. */
static int send_descriptor(int fd, const char *text, int descriptor)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec part = {.iov_base = (char *)(uintptr_t)text, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(descriptor));
    memcpy(CMSG_DATA(header), &descriptor, sizeof(descriptor));
    return sendmsg(fd, &message, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

static void transmit(struct control *control, const char *method, json_t *params, int descriptor)
{
    json_t *message = json_pack("{s:s, s:I, s:s, s:o}", "jsonrpc", "2.0", "id", ++control->last_id,
                                "method", method, "params", params ? params : json_object());
    CLEANUP_FREE char *text = json_dumps(message, JSON_COMPACT);
    json_decref(message);
    if (!text) {
        fprintf(stderr, "slicectl: the request cannot be written as JSON\n");
        exit(EXIT_USAGE);
    }
    size_t sent = descriptor >= 0 ? 1 : 0;
    if ((sent && send_descriptor(control->fd, text, descriptor) < 0) ||
        write_full(control->fd, text + sent, strlen(text) - sent) < 0 ||
        write_full(control->fd, "\n", 1) < 0)
        no_agent(control, strerror(errno));
}

json_t *control_call(struct control *control, const char *method, json_t *params, struct err *err)
{
    return control_call_with(control, method, params, -1, err);
}

json_t *control_call_with(struct control *control, const char *method, json_t *params,
                          int descriptor, struct err *err)
{
    need_connection(control);
    transmit(control, method, params, descriptor);
    for (;;) {
        json_t *message = receive(control);
        if (!notify(control, message) &&
            json_integer_value(json_object_get(message, "id")) == control->last_id) {
            json_t *error = json_object_get(message, "error");
            json_t *result = json_incref(json_object_get(message, "result"));
            const char *code =
                json_string_value(json_object_get(json_object_get(error, "data"), "code"));
            const char *text = json_string_value(json_object_get(error, "message"));
            if (error)
                err_set(err, code ? err_code_from_name(code) : ERR_INTERNAL, "%s",
                        text ? text : "refused");
            json_decref(message);
            return error ? NULL : result;
        }
        json_decref(message);
    }
}

json_t *control_need(struct control *control, const char *method, json_t *params)
{
    struct err err = {0};
    json_t *result = control_call(control, method, params, &err);
    if (!result) {
        print_error(&err);
        exit(EXIT_REFUSED);
    }
    return result;
}

void control_follow(struct control *control)
{
    json_t *message = receive(control);
    notify(control, message);
    json_decref(message);
}
