/* What begins without a magic: the disk's bytes as they are, and for a fixed VHD a footer after
 * them, which shows only when the stream ends. */
#include "base/err.h"
#include "base/memory.h"
#include "codec/vhd.h"
#include "import/format.h"
#include "import/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct tail {
    unsigned char last[VHD_FOOTER_BYTES]; /* of the stream so far */
};

static int fixed_open(struct format *format, struct err *err)
{
    (void)err;
    format->state = xcalloc(1, sizeof(struct tail));
    return 0;
}

static void keep_tail(struct tail *tail, const unsigned char *data, size_t length)
{
    if (length >= VHD_FOOTER_BYTES) {
        memcpy(tail->last, data + length - VHD_FOOTER_BYTES, VHD_FOOTER_BYTES);
        return;
    }
    memmove(tail->last, tail->last + length, VHD_FOOTER_BYTES - length);
    memcpy(tail->last + VHD_FOOTER_BYTES - length, data, length);
}

static int too_large(const struct format *format, struct err *err)
{
    return err_set(err, ERR_IMAGE_TOO_LARGE, "the image is larger than the %llu bytes allowed",
                   (unsigned long long)format->output->limit_bytes);
}

/* A footer beyond the limit is not written: the disk before it may just fit. */
static int fixed_feed(struct format *format, const void *data, size_t length, struct err *err)
{
    uint64_t limit = format->output->limit_bytes;
    uint64_t room = limit > format->taken_bytes ? limit - format->taken_bytes : 0;
    if (length > room && length - room > VHD_FOOTER_BYTES)
        return too_large(format, err);
    size_t part = length < room ? length : (size_t)room;
    if (output_write(format->output, format->taken_bytes, data, part, err) < 0)
        return -1;
    keep_tail(format->state, data, length);
    format->taken_bytes += length;
    return format->taken_bytes > limit && format->taken_bytes - limit > VHD_FOOTER_BYTES
               ? too_large(format, err)
               : 0;
}

/* Takes a footer that was written away again. */
static int clear(struct format *format, uint64_t from, uint64_t to, struct err *err)
{
    static const unsigned char zeroes[VHD_FOOTER_BYTES];
    if (from < to && pwrite(format->output->fd, zeroes, (size_t)(to - from), (off_t)from) !=
                         (ssize_t)(to - from))
        return err_errno(err, ERR_STORAGE_ERROR, errno, "writing the image at byte %llu",
                         (unsigned long long)from);
    return 0;
}

static int finish(struct format *format, const struct vhd_footer *footer, struct err *err)
{
    uint64_t limit = format->output->limit_bytes;
    uint64_t size = format->taken_bytes - VHD_FOOTER_BYTES;
    if (footer->type != VHD_FIXED)
        return err_set(err, ERR_IMAGE_CORRUPT,
                       "the VHD file's footer says type %u, but it does not begin like one",
                       (unsigned)footer->type);
    if (footer->size_bytes != size || size == 0)
        return err_set(err, ERR_IMAGE_CORRUPT,
                       "the VHD file's footer says %llu bytes, the file has %llu before it",
                       (unsigned long long)footer->size_bytes, (unsigned long long)size);
    format->size_bytes = size;
    return clear(format, size, format->taken_bytes < limit ? format->taken_bytes : limit, err);
}

static int vhd_fixed_finish(struct format *format, struct err *err)
{
    const struct tail *tail = format->state;
    struct vhd_footer footer;
    if (format->taken_bytes <= VHD_FOOTER_BYTES || !vhd_footer_read(tail->last, &footer))
        return err_set(err, ERR_IMAGE_CORRUPT,
                       "the image does not end with the footer of a VHD "
                       "file: it is no VHD file, or cut off");
    return finish(format, &footer, err);
}

static int plain_finish(struct format *format, struct err *err)
{
    const struct tail *tail = format->state;
    struct vhd_footer footer;
    if (format->taken_bytes > VHD_FOOTER_BYTES && vhd_footer_read(tail->last, &footer))
        return finish(format, &footer, err);
    if (format->taken_bytes > format->output->limit_bytes)
        return too_large(format, err);
    return format_raw.finish(format, err);
}

static void fixed_close(struct format *format)
{
    free(format->state);
}

const struct format_type format_vhd_fixed = {"VHD", fixed_open, fixed_feed, vhd_fixed_finish,
                                             fixed_close};
const struct format_type format_plain = {"raw", fixed_open, fixed_feed, plain_finish, fixed_close};
