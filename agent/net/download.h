/* The state of one download across its attempts: what was delivered, and by what a second answer is
 * known to be of the same file. Pure but for the pipe that it writes to. */
#ifndef SLICENODE_NET_DOWNLOAD_H
#define SLICENODE_NET_DOWNLOAD_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Of an ETag or a time. A longer one is not used: what breaks off begins anew. */
#define VALIDATOR_BYTES 256

/* What an answer's header says. */
struct answer {
    long status;
    int64_t length;      /* Content-Length, -1 when absent */
    int64_t range_start; /* Content-Range, -1 when absent */
    int64_t range_total;
    char etag[VALIDATOR_BYTES];
    char modified[VALIDATOR_BYTES];
};

struct download {
    int output;
    uint64_t limit_bytes;
    uint64_t expected_bytes;    /* 0 when not known */
    uint64_t delivered;         /* bytes written to the output */
    int64_t total;              /* -1 when not known */
    char etag[VALIDATOR_BYTES]; /* of the answer that the first byte came with */
    char modified[VALIDATOR_BYTES];
    uint64_t skip; /* bytes of this answer that were delivered before */
};

void answer_reset(struct answer *answer);

/* Takes one line of an answer's header. */
void answer_header(struct answer *answer, const char *line, size_t length);

/* What If-Range may name: a strong ETag or a date; NULL when there is neither. */
const char *download_if_range(const struct download *download);

/* Decides on an answer of status 200 or 206 before its body: from the beginning, from where the
 * last one broke, or not the same file any more (image_unavailable). */
int download_accept(struct download *download, const struct answer *answer, struct err *err);

/* Takes a piece of the body. An error is final, be it the reader's going away or too much data. */
int download_write(struct download *download, const void *data, size_t length, struct err *err);

/* At the end of a body that came without a complaint. */
int download_finish(const struct download *download, struct err *err);

#endif
