/* sliced-net: the part of the agent that talks to the outside, under the sandbox.
 *   sliced-net session   the controller's protocol; descriptor 3 is the wire to the agent
 *   sliced-net fetch     one image into a pipe, descriptor 4
 *   sliced-net upload    what comes through a pipe, descriptor 4, to a URL */
#include "base/err.h"
#include "base/log.h"
#include "net/calls.h"
#include "net/fetch.h"
#include "net/upload.h"
#include "process/sandbox.h"
#include "process/wire.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WIRE_FD 3
#define PIPE_FD 4

struct mode {
    const char *name;
    int (*run)(struct wire *wire, int pipe, struct err *err);
};

static int session(struct wire *wire, int pipe, struct err *err)
{
    (void)pipe;
    return net_session(wire, err);
}

static const struct mode *find_mode(int argc, char **argv)
{
    static const struct mode modes[] = {
        {"session", session}, {"fetch", net_fetch}, {"upload", net_upload}};
    for (size_t index = 0; argc == 2 && index < sizeof(modes) / sizeof(modes[0]); index++)
        if (strcmp(argv[1], modes[index].name) == 0)
            return &modes[index];
    return NULL;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct wire wire;
    const struct mode *mode = find_mode(argc, argv);
    if (!mode) {
        fprintf(stderr, "usage: sliced-net session|fetch|upload\n");
        return 2;
    }
    log_open("sliced-net", LOG_LEVEL_INFO, NULL);
    signal(SIGPIPE, SIG_IGN);
    json_object_seed(0); /* reads /dev/urandom, which is out of reach from now on */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        log_error("curl does not start");
        return 2;
    }
    if (sandbox_enter(SANDBOX_NET, &err) < 0) {
        log_error("%s", err.message);
        return 2;
    }
    wire_init(&wire, WIRE_FD);
    int result = mode->run(&wire, PIPE_FD, &err);
    if (mode->run != session)
        close(PIPE_FD);
    wire_free(&wire);
    curl_global_cleanup();
    if (result != 0)
        log_info("%s: %s", err_code_name(err.code), err.message);
    return result != 0;
}
