/* A slice's console, as its boot loader and its tenant wrote it. */
#include "base/err.h"
#include "base/text.h"
#include "fuzz.h"
#include "watch/boot_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {.code = ERR_NONE};
    enum boot_verdict verdict;

    if (size == 0)
        return 0;
    verdict = boot_check((const char *)data + 1, size - 1, data[0] & 1, &err);
    REQUIRE((verdict == BOOT_LOADER_FAILED) == (err.code == ERR_IMAGE_NOT_BOOTABLE));
    REQUIRE(text_valid(err.message));
    return 0;
}
