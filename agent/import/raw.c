/* The disk's bytes as they are. */
#include "base/err.h"
#include "import/format.h"
#include "import/output.h"

static int raw_open(struct format *format, struct err *err)
{
    (void)format;
    (void)err;
    return 0;
}

static int raw_feed(struct format *format, const void *data, size_t length, struct err *err)
{
    if (output_write(format->output, format->taken_bytes, data, length, err) < 0)
        return -1;
    format->taken_bytes += length;
    return 0;
}

static int raw_finish(struct format *format, struct err *err)
{
    if (format->taken_bytes == 0)
        return err_set(err, ERR_IMAGE_CORRUPT, "the image is empty");
    format->size_bytes = format->taken_bytes;
    return 0;
}

static void raw_close(struct format *format)
{
    (void)format;
}

const struct format_type format_raw = {"raw", raw_open, raw_feed, raw_finish, raw_close};
