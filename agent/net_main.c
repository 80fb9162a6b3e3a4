/* sliced-net: the part of the agent that talks to the outside, under the sandbox.
 *   sliced-net session   the controller's protocol; descriptor 3 is the wire to the agent
 *   sliced-net fetch     one image into a pipe, descriptor 4 */
#include "log.h"
#include "net_fetch.h"
#include "net_session.h"
#include "sandbox.h"
#include "wire.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WIRE_FD 3
#define OUTPUT_FD 4

int main(int argc, char **argv)
{
    struct err err = {0};
    struct wire wire;
    bool fetch = argc == 2 && strcmp(argv[1], "fetch") == 0;
    if (!fetch && (argc != 2 || strcmp(argv[1], "session") != 0)) {
        fprintf(stderr, "usage: sliced-net session|fetch\n");
        return 2;
    }
    log_open("sliced-net", LOG_LEVEL_INFO, NULL);
    signal(SIGPIPE, SIG_IGN);
    json_object_seed(0); /* reads /dev/urandom, which is out of reach from now on */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        log_error("curl does not start");
        return 2;
    }
    if (sandbox_enter(SANDBOX_NET, &err) != 0) {
        log_error("%s", err.message);
        return 2;
    }
    wire_init(&wire, WIRE_FD);
    int result = fetch ? net_fetch(&wire, OUTPUT_FD, &err) : net_session(&wire, &err);
    if (fetch)
        close(OUTPUT_FD);
    wire_free(&wire);
    curl_global_cleanup();
    if (result != 0)
        log_info("%s: %s", err_code_name(err.code), err.message);
    return result != 0;
}
