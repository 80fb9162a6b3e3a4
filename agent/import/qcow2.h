/* What the files of the qcow2 reader share. Source: QEMU's docs/interop/qcow2.txt. */
#ifndef SLICENODE_IMPORT_QCOW2_H
#define SLICENODE_IMPORT_QCOW2_H

#include "base/err.h"
#include "import/format.h"
#include "import/scratch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The format's. */
#define QCOW2_CLUSTER_BITS_MAX 21

enum qcow2_compression { QCOW2_ZLIB = 0, QCOW2_ZSTD = 1 };

struct qcow2 {
    struct format *format;
    uint32_t version;
    unsigned cluster_bits;
    uint64_t cluster_bytes;
    uint64_t size_bytes; /* of the disk */
    uint64_t l1_at;
    uint64_t l1_entries; /* as many as the disk needs */
    bool extended;       /* an L2 entry has a second word for its 32 subclusters */
    enum qcow2_compression compression;
    size_t l2_entries;
    unsigned char *claimed; /* a bit for each cluster of the file that something refers to */
    /* Compressed clusters share clusters of the file; their sum is bounded instead. */
    uint64_t packed_bytes;
    uint64_t packed_clusters;
    uint64_t *l2;
    struct gather gather;
    struct unpack *unpack;
};

/* Reads and judges the header: image_unsupported for what needs another file or a feature that
 * is not known, image_corrupt for nonsense, image_too_large beyond the output's limit. */
int qcow2_header_read(struct format *format, struct qcow2 *image, struct err *err);

/* One compressed cluster: unpacks `input` to exactly the cluster's length. */
struct unpack;
struct unpack *unpack_open(enum qcow2_compression compression, size_t cluster_bytes);
void unpack_close(struct unpack *unpack);
/* Where to put up to 2 * cluster bytes of input. */
unsigned char *unpack_input(struct unpack *unpack);
/* The result lives in `unpack` until the next call; NULL when the input is damaged. */
const unsigned char *unpack_cluster(struct unpack *unpack, size_t input_length);

#endif
