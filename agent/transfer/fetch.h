/* Brings one image from a URL into an open file or block device: runs `sliced-net fetch` and
 * `sliced-import` with a pipe between them. Blocks; made for a worker process. */
#ifndef SLICENODE_TRANSFER_FETCH_H
#define SLICENODE_TRANSFER_FETCH_H

#include "base/err.h"
#include "model/image.h"

#include <stdbool.h>
#include <stdint.h>

struct transfer {
    const char *libexec; /* the folder of the two programs */
    const char *url;
    const char *ca;     /* the controller's CA (PEM) trusted besides the public ones, or NULL */
    const char *sha256; /* of the bytes as transferred; NULL or "" when not known */
    enum compression compression;
    enum image_format format; /* of a disk */
    bool kernel;              /* no disk but an operator's kernel, which is unpacked if it can be */
    uint64_t transfer_bytes;  /* as announced by the controller; 0 when not known */
    uint64_t limit_bytes;     /* what the output can hold: more is image_too_large */
    int output;               /* open for writing, reads as zeroes; stays the caller's */
    int scratch;              /* likewise, where a file that is not raw is put first; -1 for none */
    uint64_t scratch_bytes;   /* what it can hold */
    unsigned stall_seconds;   /* gives up after so long without a byte; 0: the default, 120 */
};

struct transfer_result {
    uint64_t size_bytes; /* of the image, decompressed */
    uint64_t transfer_bytes;
    char sha256[SHA256_TEXT_BYTES]; /* of the bytes as transferred */
};

/* Called about once a second, whether or not something moved. `total_bytes` is 0 while it is not
 * known; both count bytes as transferred. false cancels the transfer. */
typedef bool transfer_progress(void *argument, uint64_t transferred_bytes, uint64_t total_bytes);

/* 0 when the whole image is in the output and on stable storage and its hash and length are what
 * was announced. Otherwise -1 with one of image_unavailable, image_hash_mismatch,
 * image_length_mismatch, image_corrupt, image_too_large, storage_error, timeout, cancelled,
 * invalid_argument or internal; no child is left behind, and the output holds an unknown part. */
int transfer_image(const struct transfer *transfer, transfer_progress *progress, void *argument,
                   struct transfer_result *result, struct err *err);

#endif
