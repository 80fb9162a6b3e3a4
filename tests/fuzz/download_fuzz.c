/* Answers of an image server, one after another: lines of header, a blank line, a line of body. */
#include "base/err.h"
#include "fuzz.h"
#include "net/download.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_BYTES 1000

static void take_answer(struct download *download, const struct answer *answer, const char *body,
                        size_t length)
{
    struct err err = {.code = ERR_NONE};
    uint64_t before = download->delivered;

    if (download_accept(download, answer, &err) != 0) {
        REQUIRE(err.code != ERR_NONE && download->delivered == before);
        return;
    }
    if (before > 0)
        REQUIRE(download->skip == 0 || download->skip == before);
    if (download_write(download, body, length, &err) != 0)
        REQUIRE(err.code != ERR_NONE);
    REQUIRE(download->delivered >= before && download->delivered <= LIMIT_BYTES);
    REQUIRE(download->delivered - before <= length);
    if (download_finish(download, &err) == 0 && download->expected_bytes != 0)
        REQUIRE(download->delivered == download->expected_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct download download = {.limit_bytes = LIMIT_BYTES, .total = -1};
    struct answer answer;
    const char *at = (const char *)data, *end = at + size;
    bool in_body = false;

    if (size == 0)
        return 0;
    download.output = open("/dev/null", O_WRONLY | O_CLOEXEC);
    download.expected_bytes = *at & 1 ? (uint64_t)(unsigned char)*at : 0;
    at++;
    answer_reset(&answer);
    answer.status = 200;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((line_end != NULL ? line_end : end) - at);
        if (in_body) {
            take_answer(&download, &answer, at, length);
            REQUIRE(strpbrk(download.etag, "\r\n") == NULL);
            REQUIRE(strpbrk(download.modified, "\r\n") == NULL);
            answer_reset(&answer);
            answer.status = 200;
            in_body = false;
        } else if (length == 0) {
            in_body = true;
        } else {
            if (length == 3 && memcmp(at, "206", 3) == 0)
                answer.status = 206;
            answer_header(&answer, at, length);
        }
        at += length + 1;
    }
    close(download.output);
    return 0;
}
