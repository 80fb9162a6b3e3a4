/* What of a volume is sent: for each block whether it is wanted, and whether it holds data or reads
 * as zeroes. Two bits for each block of the pool, so a disk of 64 TiB in blocks of 64 KiB takes
 * 256 MiB, and one of 100 GiB less than half a MiB. */
#ifndef SLICENODE_EXPORT_MAP_H
#define SLICENODE_EXPORT_MAP_H

#include <stdbool.h>
#include <stdint.h>

struct export_map {
    uint64_t size_bytes;
    uint64_t block_bytes;
    uint64_t block_count;
    unsigned char *data;   /* a bit for each block; NULL: all hold data */
    unsigned char *wanted; /* likewise; NULL: all are wanted */
};

/* A run of blocks that are alike; the last one ends at the volume's end. */
struct map_run {
    uint64_t offset;
    uint64_t length;
    bool data; /* otherwise it reads as zeroes */
};

/* The whole volume, as if all of it held data. */
void export_map_whole(struct export_map *map, uint64_t size_bytes);
/* All blocks are wanted and none holds data, or with `differences` none is wanted; export_map_mark
 * then says which. `block_bytes` is not 0. */
void export_map_open(struct export_map *map, uint64_t size_bytes, uint64_t block_bytes,
                     bool differences);
void export_map_close(struct export_map *map);

/* Blocks beyond the volume's end are left out. */
void export_map_mark(struct export_map *map, uint64_t block, bool data);

/* The wanted run that begins at run->offset + run->length or after; false at the end. Runs are no
 * longer than `limit`, which is no less than a block. Begin with a run of zeroes. */
bool export_map_next(const struct export_map *map, uint64_t limit, struct map_run *run);

/* Whether a range holds any data. */
bool export_map_has_data(const struct export_map *map, uint64_t offset, uint64_t length);

/* Bytes of all wanted runs that hold data. */
uint64_t export_map_data_bytes(const struct export_map *map);

#endif
