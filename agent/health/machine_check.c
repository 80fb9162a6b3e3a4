#include "health/machine_check.h"

#include <stdint.h>
#include <string.h>

#define STATUS_VALID (UINT64_C(1) << 63)
#define STATUS_UNCORRECTED (UINT64_C(1) << 61)
#define OFFSET_BANK 65
#define OFFSET_SOCKET 72

void machine_checks_add(struct machine_checks *found, const void *records, size_t length)
{
    const uint8_t *record = records;

    for (; length >= MACHINE_CHECK_BYTES;
         record += MACHINE_CHECK_BYTES, length -= MACHINE_CHECK_BYTES) {
        uint64_t status;
        uint32_t socket;

        memcpy(&status, record, sizeof(status));
        memcpy(&socket, record + OFFSET_SOCKET, sizeof(socket));
        if (!(status & STATUS_VALID))
            continue;
        if (status & STATUS_UNCORRECTED)
            found->uncorrected++;
        else
            found->corrected++;
        found->bank = record[OFFSET_BANK];
        found->socket = socket;
    }
}
