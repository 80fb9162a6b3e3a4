#include "must.h"

#include "log.h"

#include <stdlib.h>

int must(int result, const struct err *err)
{
    if (result >= 0)
        return result;
    log_error("stopping: %s", err->message);
    exit(1);
}
