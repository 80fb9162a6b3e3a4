/* Boot parameters: the first byte says whether the rest is a file or a command line. */
#include "base/err.h"
#include "base/memory.h"
#include "base/text.h"
#include "conf/conf.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf conf = {.sources = 0};
    struct err err;

    if (size == 0)
        return 0;
    if (data[0] == 'c') {
        char *text = xcalloc(size, 1);
        memcpy(text, data + 1, size - 1);
        conf_command_line(&conf, text);
        free(text);
    } else {
        conf_file(&conf, "f", (const char *)data + 1, size - 1);
    }
#define X(key, name, check)                                                                        \
    if (conf.values[CONF_##key].text && CONF_##key != CONF_SSH_KEY)                                \
        REQUIRE(check(conf.values[CONF_##key].text, &err) == 0);
    CONF_KEYS(X)
#undef X
    for (unsigned i = 0; i < conf.problem_count && i < CONF_PROBLEMS_MAX; i++)
        REQUIRE(text_valid(conf.problems[i]));
    conf_free(&conf);
    return 0;
}
