/* What sliced-net and sliced-import tell the worker about a transfer: messages by line, from the one
 * or the other by the line's first byte. */
#include "base/err.h"
#include "base/ident.h"
#include "base/json.h"
#include "fuzz.h"
#include "transfer/fetch.h"
#include "transfer/side.h"

#include "../../agent/transfer/fetch.c" /* NOLINT */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct transfer transfer = {.limit_bytes = 1 << 20};
    struct state state = {.transfer = &transfer};
    struct transfer_result result;
    struct err err = {.code = ERR_NONE};

    while (size > 1) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t length = end != NULL ? (size_t)(end - data) : size;
        struct side *side = data[0] & 1 ? &state.net : &state.import;
        CLEANUP_JSON json_t *message = NULL;
        if (length > 1 && !side->ended &&
            json_object_parse((const char *)data + 1, length - 1, &message, NULL) == 0 &&
            side_read(side, message, read_message, &state, &side->err) != 0) {
            REQUIRE(side->err.code != ERR_NONE);
            side->ended = true;
        }
        data += length;
        size -= length;
        if (size > 0) {
            data++;
            size--;
        }
    }
    if (!is_over(&state))
        return 0;
    if (judge_import(&state, &result, &err) == 0)
        REQUIRE(result.size_bytes >= 1 && result.size_bytes <= transfer.limit_bytes &&
                hex_valid(result.sha256, 32));
    else
        REQUIRE(err.code != ERR_NONE);
    return 0;
}
