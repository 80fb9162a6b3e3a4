/* Runs transfer_image as the agent's worker does, for test_transfer.py:
 *   transfer-tool LIBEXEC URL OUTPUT CA SHA256 COMPRESSION TRANSFER-BYTES LIMIT STALL CANCEL-AFTER
 * CA names a file; "" for none. Prints one line: `done SIZE TRANSFERRED SHA256` or `CODE MESSAGE`. */
#include "base/err.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/image.h"
#include "process/child.h"
#include "process/loop.h"
#include "transfer/fetch.h"
#include "transfer/side.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool count_down(void *argument, uint64_t transferred_bytes, uint64_t total_bytes)
{
    int *left = argument;
    fprintf(stderr, "progress %llu %llu\n", (unsigned long long)transferred_bytes,
            (unsigned long long)total_bytes);
    return *left == 0 || --*left > 0;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct transfer_result result;
    size_t length = 0;
    CLEANUP_FREE char *ca = NULL;
    if (argc != 11 || (argv[4][0] != '\0' && read_file(argv[4], 1 << 20, &ca, &length, &err) != 0))
        return 2;
    int output = open(argv[3], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int left = atoi(argv[10]);
    struct transfer transfer = {.libexec = argv[1],
                                .url = argv[2],
                                .ca = ca,
                                .sha256 = argv[5],
                                .compression = (enum compression)atoi(argv[6]),
                                .transfer_bytes = strtoull(argv[7], NULL, 10),
                                .limit_bytes = strtoull(argv[8], NULL, 10),
                                .format = IMAGE_FORMAT_RAW,
                                .output = output,
                                .scratch = -1,
                                .stall_seconds = (unsigned)atoi(argv[9])};
    int outcome = transfer_image(&transfer, count_down, &left, &result, &err);
    if (waitpid(-1, NULL, WNOHANG) != -1)
        printf("a child is left: ");
    if (outcome == 0)
        printf("done %llu %llu %s\n", (unsigned long long)result.size_bytes,
               (unsigned long long)result.transfer_bytes, result.sha256);
    else
        printf("%s %s\n", err_code_name(err.code), err.message);
    close(output);
    return 0;
}
