/* qcow2 files. */
#include "format_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > FILE_LIMIT)
        return 0;
    take_image("qcow2", data, size);
    return 0;
}
