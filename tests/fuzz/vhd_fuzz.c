/* VHD files. Checksums are put right first, as no fuzzer guesses them. */
#include "base/memory.h"
#include "codec/compress.h"
#include "codec/decompress.h"
#include "codec/thin_metadata.h"
#include "codec/vhd.h"
#include "format_fuzz.h"

#include <string.h>

static void sign(uint8_t *data, size_t length, size_t place)
{
    uint32_t sum = vhd_checksum(data, length, place);
    for (size_t index = 0; index < 4; index++)
        data[place + index] = (uint8_t)(sum >> (24 - 8 * index));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < VHD_FOOTER_BYTES || size > FILE_LIMIT)
        return 0;
    CLEANUP_FREE uint8_t *copy = xcalloc(1, size);
    memcpy(copy, data, size);
    take_image("auto", copy, size);
    sign(copy, VHD_FOOTER_BYTES, VHD_FOOTER_CHECKSUM_AT);
    if (size >= VHD_FOOTER_BYTES + VHD_HEADER_BYTES)
        sign(copy + VHD_FOOTER_BYTES, VHD_HEADER_BYTES, VHD_HEADER_CHECKSUM_AT);
    sign(copy + size - VHD_FOOTER_BYTES, VHD_FOOTER_BYTES, VHD_FOOTER_CHECKSUM_AT);
    take_image("auto", copy, size);
    take_image("vhd", copy, size);
    return 0;
}
