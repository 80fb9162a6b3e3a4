/* Operators' kernels: a bzImage is unpacked, anything else is kept as it is. */
#include "format_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > FILE_LIMIT)
        return 0;
    take_image("kernel", data, size);
    return 0;
}
