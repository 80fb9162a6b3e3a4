/* The agent's messages to `sliced-net session`: its configuration and its calls. */
#include "base/err.h"
#include "base/json.h"
#include "fuzz.h"
#include "net/config.h"
#include "net/key.h"
#include "net/reply.h"

#include "../../agent/net/calls.c" /* NOLINT */

static void check_call(const json_t *message)
{
    struct call call = {.id = 0};
    struct err err = {.code = ERR_NONE};

    if (read_call(&call, message, &err) == 0)
        REQUIRE(call.call < CALL_COUNT && call.timeout_ms <= TIMEOUT_LIMIT_MS);
    else
        REQUIRE(err.code != ERR_NONE);
    free(call.body);
}

static void check_config(const json_t *message)
{
    struct net_config config = {.url_count = 0};
    struct err err = {.code = ERR_NONE};

    if (net_config_read(&config, message, &err) == 0) {
        REQUIRE(config.url_count <= CONTROLLERS_MAX);
        for (unsigned index = 0; index < config.url_count; index++)
            REQUIRE(strncmp(config.urls[index], "https://", 8) == 0);
        int64_t end = 0;
        if (config.key != NULL && config.certificate != NULL)
            key_certificate_end(config.key, config.certificate, &end, &err);
    } else {
        REQUIRE(err.code != ERR_NONE);
    }
    net_config_free(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_JSON json_t *message = NULL;

    if (json_object_parse((const char *)data, size, &message, NULL) != 0)
        return 0;
    check_call(message);
    check_config(message);
    return 0;
}
