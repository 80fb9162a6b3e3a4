/* The memory of a slice on its way into a volume and out of it. Whoever makes the stream (libxl's
 * helper) writes to or reads from a pipe; a thread moves the bytes between it and the volume, past
 * dom0's page cache, which is too small for them. When either side dies, the other one ends. */
#ifndef SLICENODE_CODEC_MEMORY_STREAM_H
#define SLICENODE_CODEC_MEMORY_STREAM_H

#include "base/err.h"
#include "model/snapshot.h"

struct memory_stream;

/* Takes what is written to `*fd` until it is closed. Blocks that are all zero are left out: the
 * volume (a block device or a file with its full size) must be new. NULL at an error. */
struct memory_stream *memory_stream_write(const char *path, int *fd, struct err *err);

/* Gives the stream that `mark` describes to whoever reads `*fd`. NULL at an error. */
struct memory_stream *memory_stream_read(const char *path, const struct memory_mark *mark, int *fd,
                                         struct err *err);

/* Closes the descriptor that the stream gave, waits for the other end and frees the stream. 0 when
 * all is on the disk, with what it was in `*mark`; or when all was read and was what the mark says
 * (`mark` may be NULL then). */
int memory_stream_end(struct memory_stream *stream, struct memory_mark *mark, struct err *err);

/* Reads a whole stream and compares it with its mark. */
int memory_stream_check(const char *path, const struct memory_mark *mark, struct err *err);

#endif
