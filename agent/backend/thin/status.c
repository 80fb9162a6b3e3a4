#include "backend/thin/status.h"

#include "backend/backend.h"
#include "backend/thin/device_mapper.h"
#include "base/err.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Linux keeps the pool's metadata in blocks of this size. */
#define METADATA_BLOCK_BYTES 4096

int be_thin_parse_status(const char *status, uint64_t sectors_per_block, struct pool_usage *usage,
                         struct err *err)
{
    uint64_t transaction, metadata_used, metadata_total, data_used, data_total;
    char root[32], mode[32];
    uint64_t block_bytes = sectors_per_block * SECTOR_BYTES;

    memset(usage, 0, sizeof(*usage));
    usage->block_bytes = block_bytes;
    /* "Fail" when the kernel gave the pool up, "Error" when it cannot read the numbers just now. */
    if (strncmp(status, "Fail", 4) == 0 || strncmp(status, "Error", 5) == 0) {
        usage->failed = true;
        return 0;
    }
    if (sscanf(status, "%" SCNu64 " %" SCNu64 "/%" SCNu64 " %" SCNu64 "/%" SCNu64 " %31s %31s",
               &transaction, &metadata_used, &metadata_total, &data_used, &data_total, root,
               mode) != 7)
        return err_set(err, ERR_STORAGE_ERROR, "the pool's status is not understood: %s", status);
    usage->data_total_bytes = data_total * block_bytes;
    usage->data_used_bytes = data_used * block_bytes;
    usage->metadata_total_bytes = metadata_total * METADATA_BLOCK_BYTES;
    usage->metadata_used_bytes = metadata_used * METADATA_BLOCK_BYTES;
    usage->out_of_space = strcmp(mode, "out_of_data_space") == 0;
    usage->read_only = strcmp(mode, "ro") == 0 || strstr(status, " needs_check") != NULL;
    return 0;
}

bool be_thin_mirror_degraded(const char *status)
{
    char health[64];

    /* Type, number of devices, a letter for each of them: A in sync, a being filled, D failed,
     * - missing. */
    return sscanf(status, "raid%*s %*u %63s", health) == 1 && strpbrk(health, "D-") != NULL;
}
