#include "process/helper.h"

#include "base/err.h"
#include "base/log.h"
#include "process/sandbox.h"
#include "process/wire.h"

#include <jansson.h>
#include <signal.h>

#define WIRE_FD 3

int order_run(const char *name, enum sandbox_profile profile,
              int (*run)(struct wire *wire, struct err *err))
{
    struct err err = {0};
    struct wire wire;
    log_open(name, LOG_LEVEL_INFO, NULL);
    signal(SIGPIPE, SIG_IGN);
    json_object_seed(0); /* reads /dev/urandom, which is out of reach from now on */
    if (sandbox_enter(profile, &err) < 0) {
        log_error("%s", err.message);
        return 2;
    }
    wire_init(&wire, WIRE_FD);
    int result = run(&wire, &err);
    wire_free(&wire);
    if (result != 0)
        log_info("%s: %s", err_code_name(err.code), err.message);
    return result != 0;
}
