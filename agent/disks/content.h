/* What is on a disk: read, never written. Everything that libblkid knows, and, since a disk with
 * data that nobody knows is not blank either, whether there is anything but zeros where
 * something can be. */
#ifndef SLICENODE_DISKS_CONTENT_H
#define SLICENODE_DISKS_CONTENT_H

#include "disks/disk.h"

/* The text that the first sector of a disk begins with while it is being made ours. */
#define HALF_MADE_TEXT                                                                             \
    "slicenode: this disk is being made part of a node, nothing is kept on it yet\n"
/* And afterwards; then lines "identity: TEXT" and "node: UUID". */
#define LABEL_TEXT "slicenode: this disk is part of a node\n"
#define FIRST_SECTOR_BYTES 512

/* A stretch of a disk. */
struct range {
    uint64_t start, length;
};
#define RANGES_MAX 128

/* Where something can be on a disk of this size, in order and without overlaps; see content.c. */
unsigned content_ranges(uint64_t size_bytes, struct range ranges[static RANGES_MAX]);

/* Reads ranges to their ends, also when something was found: an error behind it counts. Notes in
 * `content` whether there are only zeros, or what failed. */
void content_read_ranges(int fd, const struct range *ranges, unsigned count,
                         struct disk_content *content);

/* Fills `content` with what the beginning says and what libblkid finds, without the ranges. */
void content_read_signatures(int fd, struct disk_content *content);

/* Fills `content` from the descriptor of a disk of `size_bytes`. An error of reading is kept
 * there. */
void content_read(int fd, uint64_t size_bytes, struct disk_content *content);

#endif
