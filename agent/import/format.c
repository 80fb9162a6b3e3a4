#include "import/format.h"

#include "base/err.h"
#include "base/memory.h"
#include "codec/vhd.h"
#include "import/qcow2.h"

#include <string.h>

bool format_known(const char *name)
{
    static const char *const names[] = {"auto", "raw", "qcow2", "vhd", "kernel"};
    for (size_t index = 0; index < ARRAY_LENGTH(names); index++)
        if (strcmp(names[index], name) == 0)
            return true;
    return false;
}

static bool begins_with(const void *data, size_t length, const char *magic, size_t magic_length)
{
    return length >= magic_length && memcmp(data, magic, magic_length) == 0;
}

const struct format_type *format_choose(const char *name, const void *data, size_t length,
                                        struct err *err)
{
    bool qcow2 = begins_with(data, length, "QFI\xfb", 4);
    bool vhd = begins_with(data, length, VHD_FOOTER_COOKIE, VHD_COOKIE_BYTES);
    if (strcmp(name, "raw") == 0)
        return &format_raw;
    if (strcmp(name, "kernel") == 0)
        return format_kernel_fits(data, length) ? &format_kernel : &format_raw;
    if (strcmp(name, "vhd") == 0)
        return vhd ? &format_vhd_dynamic : &format_vhd_fixed;
    if (qcow2)
        return &format_qcow2;
    if (strcmp(name, "qcow2") == 0) {
        err_set(err, ERR_IMAGE_CORRUPT, "the image is no qcow2 file: it does not begin like one");
        return NULL;
    }
    return vhd ? &format_vhd_dynamic : &format_plain;
}
