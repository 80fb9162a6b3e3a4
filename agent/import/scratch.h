/* For formats that cannot be read from front to back: the stream lies on the scratch volume, is
 * read there in any order, and the disk's contents are gathered into long writes. */
#ifndef SLICENODE_IMPORT_SCRATCH_H
#define SLICENODE_IMPORT_SCRATCH_H

#include "base/err.h"
#include "import/format.h"

/* The largest qcow2 cluster. */
#define GATHER_BYTES (2u << 20)

/* A format's open and feed that put the stream aside. */
int scratch_open(struct format *format, struct err *err);
int scratch_feed(struct format *format, const void *data, size_t length, struct err *err);

/* Reads from what was put aside; `what` for the message when that lies outside of the file. */
int scratch_read(struct format *format, uint64_t at, void *data, size_t length, const char *what,
                 struct err *err);

/* Says "outside" unless the whole part lies in the file. */
int scratch_check(const struct format *format, uint64_t at, uint64_t length, const char *what,
                  struct err *err);

/* A run of the disk's bytes, written when it is long enough or the next part is not adjacent. */
struct gather {
    struct format *format;
    unsigned char *buffer;
    uint64_t offset;
    size_t length;
};

void gather_open(struct gather *gather, struct format *format);
/* Where to put `length` (at most GATHER_BYTES) bytes of the disk from `offset` on, to be filled
 * before the next call. Offsets only go up. NULL when writing failed. */
unsigned char *gather_room(struct gather *gather, uint64_t offset, size_t length, struct err *err);
int gather_flush(struct gather *gather, struct err *err);
void gather_close(struct gather *gather);

#endif
