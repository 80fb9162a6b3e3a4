/* The header of a qcow2 file: what it holds, and whether an image may be that. */
#include "base/err.h"
#include "base/text.h"
#include "import/format.h"
#include "import/qcow2.h"
#include "import/scratch.h"

#include <endian.h>
#include <string.h>

#define HEADER_V2_BYTES 72
#define HEADER_V3_BYTES 104
#define COMPRESSION_AT 104
#define CLUSTER_BITS_MIN 9
#define EXTENDED_CLUSTER_BITS_MIN 14
#define SECTOR_BYTES 512
#define BACKING_NAME_MAX 1023
#define L1_ENTRIES_MAX (32u << 20 >> 3) /* QEMU's own limit */

#define FEATURE_DIRTY 0x01u
#define FEATURE_CORRUPT 0x02u
#define FEATURE_DATA_FILE 0x04u
#define FEATURE_COMPRESSION 0x08u
#define FEATURE_EXTENDED_L2 0x10u

struct header {
    unsigned char bytes[COMPRESSION_AT + 8];
};

static uint32_t number32(const struct header *header, size_t at)
{
    uint32_t number;
    memcpy(&number, header->bytes + at, sizeof(number));
    return be32toh(number);
}

static uint64_t number64(const struct header *header, size_t at)
{
    uint64_t number;
    memcpy(&number, header->bytes + at, sizeof(number));
    return be64toh(number);
}

static int corrupt(struct err *err, const char *what)
{
    return err_set(err, ERR_IMAGE_CORRUPT, "the qcow2 file %s", what);
}

static int unsupported(struct err *err, const char *what)
{
    return err_set(err, ERR_IMAGE_UNSUPPORTED, "the qcow2 file %s", what);
}

static int refuse_backing(struct format *format, uint64_t at, uint32_t length, struct err *err)
{
    char name[BACKING_NAME_MAX + 1] = "";
    if (length > BACKING_NAME_MAX)
        return corrupt(err, "names a backing file, by too long a name");
    if (scratch_read(format, at, name, length, "backing file's name", err) < 0)
        return -1;
    return err_set(err, ERR_IMAGE_UNSUPPORTED,
                   "the qcow2 file names the backing file %s, and an image must stand alone: make "
                   "it whole with `qemu-img convert`",
                   quoted(name).text);
}

static int check_features(struct qcow2 *image, const struct header *header, struct err *err)
{
    uint64_t features = number64(header, 72);
    uint64_t unknown = features & ~(uint64_t)(FEATURE_DIRTY | FEATURE_CORRUPT | FEATURE_DATA_FILE |
                                              FEATURE_COMPRESSION | FEATURE_EXTENDED_L2);
    if (unknown != 0)
        return err_set(err, ERR_IMAGE_UNSUPPORTED,
                       "the qcow2 file needs features that are not known: bits 0x%llx",
                       (unsigned long long)unknown);
    if (features & FEATURE_CORRUPT)
        return corrupt(err, "is marked as corrupt: repair it with `qemu-img check -r all`");
    if (features & FEATURE_DIRTY)
        return corrupt(err, "is marked as dirty, it was not closed properly: repair it with "
                            "`qemu-img check -r all`");
    if (features & FEATURE_DATA_FILE)
        return unsupported(err, "keeps its data in another file, and an image must stand alone: "
                                "make it whole with `qemu-img convert`");
    image->extended = features & FEATURE_EXTENDED_L2;
    uint32_t length = number32(header, 100);
    if (length < HEADER_V3_BYTES || length > image->cluster_bytes || length % 8 != 0)
        return corrupt(err, "has a header of an odd length");
    unsigned compression = length > COMPRESSION_AT ? header->bytes[COMPRESSION_AT] : 0;
    if (compression > QCOW2_ZSTD)
        return err_set(err, ERR_IMAGE_UNSUPPORTED,
                       "the qcow2 file's compression type %u is not known", compression);
    if ((compression != 0) != ((features & FEATURE_COMPRESSION) != 0))
        return corrupt(err, "contradicts itself on its compression type");
    image->compression = (enum qcow2_compression)compression;
    if (image->extended && image->cluster_bits < EXTENDED_CLUSTER_BITS_MIN)
        return corrupt(err, "has subclusters of less than a sector");
    return 0;
}

static int check_size(struct qcow2 *image, struct err *err)
{
    uint64_t limit = image->format->output->limit_bytes;
    if (image->size_bytes == 0 || image->size_bytes % SECTOR_BYTES != 0)
        return corrupt(err, "says a disk size that is no number of sectors");
    if (image->size_bytes > limit)
        return err_set(err, ERR_IMAGE_TOO_LARGE,
                       "the qcow2 file holds a disk of %llu bytes, %llu are allowed",
                       (unsigned long long)image->size_bytes, (unsigned long long)limit);
    return 0;
}

static int check_l1(struct qcow2 *image, uint32_t entries, struct err *err)
{
    uint64_t mapped = image->cluster_bytes * image->l2_entries; /* by one L1 entry */
    image->l1_entries = image->size_bytes / mapped + (image->size_bytes % mapped != 0);
    if (image->l1_entries > L1_ENTRIES_MAX)
        return unsupported(err, "has too small clusters for so large a disk");
    if (entries < image->l1_entries)
        return corrupt(err, "has an L1 table that is too short for its disk");
    if (image->l1_at == 0 || image->l1_at % image->cluster_bytes != 0)
        return corrupt(err, "has its L1 table at an odd place");
    return scratch_check(image->format, image->l1_at, image->l1_entries * 8, "L1 table", err);
}

int qcow2_header_read(struct format *format, struct qcow2 *image, struct err *err)
{
    struct header header = {{0}};
    uint64_t length = format->taken_bytes < sizeof(header) ? format->taken_bytes : sizeof(header);
    if (length < HEADER_V2_BYTES)
        return corrupt(err, "is too short for its header");
    if (scratch_read(format, 0, header.bytes, (size_t)length, "header", err) < 0)
        return -1;
    image->format = format;
    image->version = number32(&header, 4);
    if (image->version != 2 && image->version != 3)
        return err_set(err, ERR_IMAGE_UNSUPPORTED,
                       "the qcow2 file's version %u is not known: 2 and 3 are", image->version);
    image->cluster_bits = number32(&header, 20);
    if (image->cluster_bits < CLUSTER_BITS_MIN || image->cluster_bits > QCOW2_CLUSTER_BITS_MAX)
        return err_set(err, ERR_IMAGE_CORRUPT, "the qcow2 file says clusters of 2^%u bytes",
                       image->cluster_bits);
    image->cluster_bytes = UINT64_C(1) << image->cluster_bits;
    image->size_bytes = number64(&header, 24);
    image->l1_at = number64(&header, 40);
    if (number64(&header, 8) != 0)
        return refuse_backing(format, number64(&header, 8), number32(&header, 16), err);
    if (number32(&header, 32) != 0)
        return unsupported(err, "is encrypted: decrypt it with `qemu-img convert`");
    if (image->version == 3 && (length < HEADER_V3_BYTES || check_features(image, &header, err)))
        return length < HEADER_V3_BYTES ? corrupt(err, "is too short for its header") : -1;
    image->l2_entries = (size_t)(image->cluster_bytes / (image->extended ? 16 : 8));
    return check_size(image, err) < 0 ? -1 : check_l1(image, number32(&header, 36), err);
}
