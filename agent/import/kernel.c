/* An operator's kernel. A Linux bzImage is a small program for real mode and a payload: an ELF
 * file, packed, and its length. Only the ELF file is of use to Xen, and it is kept unpacked.
 * Linux, Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header". */
#include "base/err.h"
#include "base/memory.h"
#include "codec/decompress.h"
#include "import/format.h"
#include "import/output.h"

#include <elf.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define SETUP_SECTS_AT 0x1f1
#define MAGIC_AT 0x202
#define VERSION_AT 0x206
#define PAYLOAD_OFFSET_AT 0x248
#define PAYLOAD_LENGTH_AT 0x24c
#define HEADER_BYTES 0x250
#define VERSION_WITH_PAYLOAD 0x208
#define SECTOR_BYTES 512
#define SETUP_SECTS_DEFAULT 4
/* A packed kernel ends with its unpacked length: gzip's own, or one that Linux' build appends. */
#define LENGTH_BYTES 4

static const struct packing {
    const struct decoder_type *decoder;
    const char *magic;
    size_t magic_bytes;
    bool length_appended;
} packings[] = {{&decoder_gzip, "\x1f\x8b", 2, false},
                {&decoder_xz,
                 "\xfd"
                 "7zXZ\0",
                 6, true},
                {&decoder_zstd, "\x28\xb5\x2f\xfd", 4, true}};

/* Where the payload is in the file. */
struct payload {
    const struct packing *packing;
    uint64_t begin, end;
};

struct kernel {
    struct payload payload;
    struct format *format;
    struct decode_stream stream;
    unsigned char length[LENGTH_BYTES]; /* the payload's last bytes */
    uint64_t written_bytes;
};

static uint32_t number(const unsigned char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return le32toh(value);
}

static bool find_payload(const unsigned char *data, size_t length, struct payload *payload)
{
    if (length < HEADER_BYTES || memcmp(data + MAGIC_AT, "HdrS", 4) != 0 ||
        (number(data + VERSION_AT) & 0xffff) < VERSION_WITH_PAYLOAD)
        return false;
    unsigned sectors = data[SETUP_SECTS_AT] ? data[SETUP_SECTS_AT] : SETUP_SECTS_DEFAULT;
    payload->begin = (sectors + 1) * SECTOR_BYTES + (uint64_t)number(data + PAYLOAD_OFFSET_AT);
    payload->end = payload->begin + number(data + PAYLOAD_LENGTH_AT);
    for (size_t i = 0; i < ARRAY_LENGTH(packings); i++) {
        payload->packing = &packings[i];
        if (payload->begin + packings[i].magic_bytes <= length &&
            payload->begin + packings[i].magic_bytes + LENGTH_BYTES <= payload->end &&
            memcmp(data + payload->begin, packings[i].magic, packings[i].magic_bytes) == 0)
            return true;
    }
    return false;
}

bool format_kernel_fits(const void *data, size_t length)
{
    struct payload payload;
    return find_payload(data, length, &payload);
}

static int write_elf(void *argument, const unsigned char *data, size_t length, struct err *err)
{
    struct kernel *kernel = argument;
    if (kernel->written_bytes == 0 && (length < SELFMAG || memcmp(data, ELFMAG, SELFMAG) != 0))
        return err_set(err, ERR_IMAGE_CORRUPT, "the kernel's payload is no ELF file");
    if (output_write(kernel->format->output, kernel->written_bytes, data, length, err) < 0)
        return -1;
    kernel->written_bytes += length;
    return 0;
}

static int kernel_open(struct format *format, struct err *err)
{
    struct kernel *kernel = xcalloc(1, sizeof(*kernel));
    format->state = kernel;
    kernel->format = format;
    if (!find_payload(format->head, format->head_length, &kernel->payload))
        return err_set(err, ERR_INTERNAL, "the file is no kernel that can be unpacked");
    return decode_stream_open(&kernel->stream, kernel->payload.packing->decoder, write_elf, kernel,
                              err);
}

/* The part of `length` bytes at `at` of the file that lies between `begin` and `end`. */
static size_t part_between(uint64_t at, size_t length, uint64_t begin, uint64_t end, size_t *skip)
{
    uint64_t from = at > begin ? at : begin, to = at + length < end ? at + length : end;
    *skip = from < to ? (size_t)(from - at) : 0;
    return from < to ? (size_t)(to - from) : 0;
}

static int kernel_feed(struct format *format, const void *data, size_t length, struct err *err)
{
    struct kernel *kernel = format->state;
    const struct payload *payload = &kernel->payload;
    const uint64_t at = format->taken_bytes, length_at = payload->end - LENGTH_BYTES;
    const uint64_t packed_end = payload->packing->length_appended ? length_at : payload->end;
    const unsigned char *bytes = data;
    size_t skip, part = part_between(at, length, length_at, payload->end, &skip);
    if (part > 0)
        memcpy(kernel->length + (at + skip - length_at), bytes + skip, part);
    format->taken_bytes += length;
    part = part_between(at, length, payload->begin, packed_end, &skip);
    if (part > 0 && decode_stream_feed(&kernel->stream, bytes + skip, part, err) < 0)
        return err_context(err, "the kernel's payload");
    return 0;
}

static int kernel_finish(struct format *format, struct err *err)
{
    struct kernel *kernel = format->state;
    if (format->taken_bytes < kernel->payload.end)
        return err_set(err, ERR_IMAGE_CORRUPT,
                       "the kernel is cut off: its payload ends at byte %llu, the file at %llu",
                       (unsigned long long)kernel->payload.end,
                       (unsigned long long)format->taken_bytes);
    if (decode_stream_finish(&kernel->stream, err) < 0)
        return err_context(err, "the kernel's payload");
    if ((uint32_t)kernel->written_bytes != number(kernel->length))
        return err_set(
            err, ERR_IMAGE_CORRUPT, "the kernel's payload says that it has %lu bytes, it has %llu",
            (unsigned long)number(kernel->length), (unsigned long long)kernel->written_bytes);
    format->size_bytes = kernel->written_bytes;
    return 0;
}

static void kernel_close(struct format *format)
{
    struct kernel *kernel = format->state;
    decode_stream_close(&kernel->stream);
    free(kernel);
}

const struct format_type format_kernel = {"kernel", kernel_open, kernel_feed, kernel_finish,
                                          kernel_close};
