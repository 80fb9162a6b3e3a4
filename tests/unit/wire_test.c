/* wire: frames between processes. */
#include "base/err.h"
#include "base/json.h"
#include "base/memory.h"
#include "process/loop.h"
#include "process/wire.h"
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct link {
    struct wire left, right;
};

static void link_open(struct link *link)
{
    int ends[2];

    CHECK_NUMBER(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
    wire_init(&link->left, ends[0]);
    wire_init(&link->right, ends[1]);
}

static void link_close(struct link *link)
{
    close(link->left.fd);
    close(link->right.fd);
    wire_free(&link->left);
    wire_free(&link->right);
}

TEST(wire_carries_messages)
{
    CLEANUP_JSON json_t *message = json_pack("{s:s, s:i}", "type", "call", "id", 7);
    struct link link;
    struct err err;
    json_t *got;

    link_open(&link);
    for (int i = 0; i < 3; i++)
        CHECK_NUMBER(0, wire_send(&link.left, message, &err));
    for (int i = 0; i < 3; i++) {
        CHECK_NUMBER(1, wire_receive(&link.right, 1000, &got, &err));
        CHECK(json_equal(message, got));
        json_decref(got);
    }
    CHECK_NUMBER(-1, wire_receive(&link.right, 0, &got, &err));
    CHECK_NUMBER(ERR_TIMEOUT, err.code);
    shutdown(link.left.fd, SHUT_WR);
    CHECK_NUMBER(0, wire_receive(&link.right, -1, &got, &err));
    CHECK(link.right.closed);
    link_close(&link);
}

TEST(wire_takes_what_comes_in_pieces)
{
    static const char frame[] = "\x0a\0\0\0{\"a\":\"bc\"}";
    struct link link;
    struct err err;
    json_t *got = NULL;

    link_open(&link);
    CHECK_NUMBER(0, wire_fill(&link.right, &err));
    for (size_t i = 0; i < sizeof(frame) - 1; i++) {
        CHECK_NUMBER(0, wire_take(&link.right, &got, &err));
        CHECK_NUMBER(1, write(link.left.fd, frame + i, 1));
        CHECK_NUMBER(0, wire_fill(&link.right, &err));
    }
    CHECK_NUMBER(1, wire_take(&link.right, &got, &err));
    CHECK_TEXT("bc", json_string_value(json_object_get(got, "a")));
    json_decref(got);
    link_close(&link);
}

static void check_refused(const void *frame, size_t length, const char *problem)
{
    struct link link;
    struct err err;
    json_t *got;

    link_open(&link);
    CHECK_NUMBER((long)length, write(link.left.fd, frame, length));
    shutdown(link.left.fd, SHUT_WR);
    CHECK_NUMBER(-1, wire_receive(&link.right, 1000, &got, &err));
    CHECK_HOLDS(problem, err.message);
    link_close(&link);
}

TEST(wire_refuses_bad_frames)
{
    check_refused("\0\0\0\0", 4, "0 bytes is refused");
    check_refused("\xff\xff\xff\xff", 4, "4294967295 bytes is refused");
    check_refused("\x01\0\x40\0", 4, "4194305 bytes is refused");
    check_refused("\2\0\0\0[]", 6, "no JSON object");
    check_refused("\2\0\0\0{x", 6, "no JSON object");
    check_refused("\x0d\0\0\0{\"a\":1,\"a\":2}", 17, "no JSON object");
    check_refused("\x0a\0\0\0{\"a\"", 8, "within a message");
    check_refused("\x0a\0", 2, "within a message");
}

static void *receive_large(void *argument)
{
    struct wire *wire = argument;
    json_t *got = NULL;

    if (wire_receive(wire, 10000, &got, NULL) != 1)
        return NULL;
    return got;
}

TEST(wire_carries_the_largest_message)
{
    CLEANUP_FREE char *large = xcalloc(1, WIRE_MESSAGE_LIMIT + 1);
    struct link link;
    struct err err;
    pthread_t thread;
    void *got = NULL;

    memset(large, 'x', WIRE_MESSAGE_LIMIT - 8);
    CLEANUP_JSON json_t *fits = json_pack("{s:s}", "a", large);
    large[WIRE_MESSAGE_LIMIT - 8] = 'x';
    CLEANUP_JSON json_t *too_long = json_pack("{s:s}", "a", large);

    link_open(&link);
    /* A sender that must wait for room does so also on a non-blocking socket. */
    fcntl(link.left.fd, F_SETFL, O_NONBLOCK);
    CHECK_NUMBER(-1, wire_send(&link.left, too_long, &err));
    CHECK_HOLDS("too long", err.message);
    CHECK_NUMBER(0, pthread_create(&thread, NULL, receive_large, &link.right));
    CHECK_NUMBER(0, wire_send(&link.left, fits, &err));
    pthread_join(thread, &got);
    CHECK(got && json_equal(fits, got));
    json_decref(got);
    link_close(&link);
}

TEST(wire_sending_to_nobody_is_an_error)
{
    CLEANUP_JSON json_t *message = json_object();
    struct link link;
    struct err err;

    link_open(&link);
    shutdown(link.right.fd, SHUT_RDWR);
    CHECK_NUMBER(-1, wire_send(&link.left, message, &err));
    CHECK_HOLDS("cannot send", err.message);
    link_close(&link);
}
