/* The controller's answers: the first byte chooses the call, the second the HTTP status. */
#include "base/err.h"
#include "base/memory.h"
#include "base/text.h"
#include "fuzz.h"
#include "net/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const long statuses[] = {200, 202, 204, 301, 400, 403, 404, 409, 429, 500, 503, 0};
    struct reply reply = {.content_type = "application/json"};
    struct err err = {.code = ERR_NONE};
    json_t *body = NULL;
    bool retry = false;

    if (size < 2)
        return 0;
    reply.status = statuses[data[1] % ARRAY_LENGTH(statuses)];
    reply.body = (const char *)data + 2;
    reply.length = size - 2;
    if (reply_check((enum controller_call)(data[0] % CALL_COUNT), &reply, &body, &retry, &err) == 0)
        REQUIRE(json_is_object(body));
    else
        REQUIRE(err.code != ERR_NONE && text_valid(err.message));
    json_decref(body);
    return 0;
}
