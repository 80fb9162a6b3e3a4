#include "backend/thin/pool.h"

#include "backend/backend.h"
#include "backend/thin/device_mapper.h"
#include "base/err.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

int be_thin_find_pool(const struct be_thin *thin, char name[static VOLUME_PATH_BYTES],
                      struct mapper_device *pool, struct err *err)
{
    static const char *const suffixes[] = {"", "-tpool"};

    for (size_t i = 0; i < ARRAY_LENGTH(suffixes); i++) {
        snprintf(name, VOLUME_PATH_BYTES, "%.100s%s", thin->pool, suffixes[i]);
        if (mapper_inspect(name, pool, err) < 0)
            return -1;
        if (pool->exists && strcmp(pool->target, "thin-pool") == 0)
            return 0;
    }
    return err_set(err, ERR_STORAGE_MISSING, "there is no thin pool %s on this node", thin->pool);
}
