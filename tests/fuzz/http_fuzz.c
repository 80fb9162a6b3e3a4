/* What curl hands over of a server's answer: the controller's body in pieces (http.c), an image
 * server's header lines and body (fetch.c); and what to fetch at all, a URL or the worker's order.
 * The first byte chooses, the second is the piece. */
#include "base/err.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "fuzz.h"
#include "net/download.h"
#include "net/http.h"
#include "net/reply.h"

#include "../../agent/net/fetch.c" /* NOLINT */
#undef CONNECT_MS
#define set_url http_set_url
#define set_options http_set_options
#include "../../agent/net/http.c" /* NOLINT */
#undef set_url
#undef set_options

#include <fcntl.h>
#include <unistd.h>

static void controller(const uint8_t *data, size_t size, size_t piece)
{
    struct http_exchange exchange = {.base = "https://c"};
    json_t *body = NULL;
    bool retry = false;
    struct err err = {.code = ERR_NONE};

    for (size_t at = 0; at < size; at += piece) {
        size_t length = size - at < piece ? size - at : piece;
        if (receive((char *)(uintptr_t)(data + at), 1, length, &exchange) != length)
            REQUIRE(exchange.too_long);
    }
    struct reply reply = {.status = 200,
                          .content_type = "application/json",
                          .body = exchange.answer != NULL ? exchange.answer : "",
                          .length = exchange.length};
    if (reply_check((enum controller_call)(piece % CALL_COUNT), &reply, &body, &retry, &err) != 0)
        REQUIRE(err.code != ERR_NONE && text_valid(err.message));
    json_decref(body);
    free(exchange.answer);
}

/* Lines until an empty one are the header, each with its end; the rest is the body. */
static void image_server(const uint8_t *data, size_t size, size_t piece)
{
    struct fetch fetch = {.download = {.output = open("/dev/null", O_WRONLY | O_CLOEXEC),
                                       .total = -1,
                                       .limit_bytes = 1000}};
    size_t at = 0;
    while (at < size) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t length = end != NULL ? (size_t)(end - data) + 1 - at : size - at;
        REQUIRE(take_header((char *)(uintptr_t)(data + at), 1, length, &fetch) == length);
        at += length;
        if (length <= 2)
            break;
    }
    fetch.answer.status = piece & 1 ? 200 : 206;
    if (download_accept(&fetch.download, &fetch.answer, &fetch.failure) == 0) {
        fetch.accepted = true;
        for (; at < size; at += piece) {
            size_t length = size - at < piece ? size - at : piece;
            if (take_body((char *)(uintptr_t)(data + at), 1, length, &fetch) != length) {
                REQUIRE(fetch.failure.code != ERR_NONE);
                break;
            }
        }
    }
    REQUIRE(fetch.download.delivered <= 1000 && text_valid(fetch.failure.message));
    struct curl_slist *headers = range_headers(&fetch.download);
    for (const struct curl_slist *line = headers; line != NULL; line = line->next)
        REQUIRE(strpbrk(line->data, "\r\n") == NULL);
    curl_slist_free_all(headers);
    close(fetch.download.output);
}

static void url(const uint8_t *data, size_t size)
{
    struct fetch fetch = {.url = NULL};
    struct err err = {.code = ERR_NONE};
    CLEANUP_FREE char *text = xcalloc(size + 1, 1);

    memcpy(text, data, size);
    if (set_url(&fetch, text, &err) == 0)
        REQUIRE(strchr(fetch.display, '?') == NULL && strchr(fetch.display, '#') == NULL);
    free(fetch.url);
    free(fetch.display);
}

static void order(const uint8_t *data, size_t size)
{
    CLEANUP_JSON json_t *message = NULL;
    struct fetch fetch = {.download = {.total = -1}};
    struct err err = {.code = ERR_NONE};

    if (json_object_parse((const char *)data, size, &message, NULL) != 0)
        return;
    if (read_message(&fetch, message, &err) == 0)
        REQUIRE(fetch.url != NULL && fetch.download.limit_bytes > 0);
    else
        REQUIRE(err.code != ERR_NONE);
    free(fetch.url);
    free(fetch.display);
    free(fetch.trusted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    if (data[0] % 4 == 0)
        controller(data + 2, size - 2, data[1] + 1u);
    else if (data[0] % 4 == 1)
        image_server(data + 2, size - 2, data[1] + 1u);
    else if (data[0] % 4 == 2)
        url(data + 2, size - 2);
    else
        order(data + 2, size - 2);
    return 0;
}
