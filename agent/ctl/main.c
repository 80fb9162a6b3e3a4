/* slicectl: what an operator, or a controller that comes by SSH, tells the node's agent. */
#include "ctl/commands.h"
#include "ctl/link.h"
#include "version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOCKET_USUAL "/run/slicenode/api.sock"

int main(int argc, char **argv)
{
    struct control control = {.fd = -1};
    const char *socket_path = getenv("SLICENODE_SOCKET");
    int place = 1;
    for (; place < argc && argv[place][0] == '-' && argv[place][1]; place++) {
        if (strcmp(argv[place], "--json") == 0) {
            control.json = true;
        } else if (strcmp(argv[place], "--socket") == 0 && place + 1 < argc) {
            socket_path = argv[++place];
        } else if (strcmp(argv[place], "--version") == 0) {
            puts(SLICENODE_VERSION);
            return EXIT_DONE;
        } else if (strcmp(argv[place], "--help") == 0) {
            fputs(command_usage, stdout);
            return EXIT_DONE;
        } else {
            fprintf(stderr, "slicectl: unknown option %s\n%s", argv[place], command_usage);
            return EXIT_USAGE;
        }
    }
    if (place == argc) {
        fputs(command_usage, stderr);
        return EXIT_USAGE;
    }
    control.socket_path = socket_path ? socket_path : SOCKET_USUAL;
    int code = command_run(&control, argc - place, argv + place);
    if (code == EXIT_USAGE)
        fputs(command_usage, stderr);
    free(control.buffer);
    return code;
}
