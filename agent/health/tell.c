#include "health/tell.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void tell(const char *run_dir, const char *area, const char *code, const char *message)
{
    CLEANUP_FREE char *path = xasprintf("%s/problems/%s", run_dir, area);
    CLEANUP_FREE char *before = NULL;
    CLEANUP_FREE char *line = message ? xasprintf("%s\t%s\n", code, message) : NULL;
    struct err err;
    size_t length;

    if (!line) {
        if (unlink(path) == 0)
            log_info("over: %s", area);
        return;
    }
    if (read_file(path, 4096, &before, &length, NULL) == 0 && strcmp(before, line) == 0)
        return;
    log_info("%s", message);
    if (write_file(path, line, strlen(line), 0600, &err) < 0)
        log_error("%s", err.message);
}
