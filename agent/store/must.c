#include "store/must.h"

#include "base/err.h"
#include "base/log.h"

#include <stdlib.h>

int must(int result, const struct err *err)
{
    if (result >= 0)
        return result;
    log_error("stopping: %s", err->message);
    exit(1);
}
