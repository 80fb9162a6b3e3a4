/* Snapshots of a slice, with or without its memory. */
#ifndef SLICENODE_MODEL_SNAPSHOT_H
#define SLICENODE_MODEL_SNAPSHOT_H

#include "base/ident.h"
#include "model/slice.h"

#include <stdint.h>

/* What tells a stream of a slice's memory from a torn or damaged one. */
struct memory_mark {
    uint64_t bytes;
    uint64_t crc; /* CRC-64, as xz has it */
};

/* The memory that a checkpoint keeps, and the domain that it was taken from. */
struct saved_memory {
    uint32_t thin_id; /* 0: none */
    struct memory_mark mark;
    struct domain_size size;
};

struct snapshot {
    char id[UUID_TEXT_BYTES];
    char slice[UUID_TEXT_BYTES];
    char name[SLICE_NAME_BYTES];
    int64_t created_ms;
    uint32_t thin_id;
    uint64_t reserved_bytes; /* pool space that it may come to hold alone */
    uint64_t size_bytes;     /* of the volume at that time */
    struct saved_memory memory;
};

/* Room that the saved memory of a domain of that shape may take in its volume. */
uint64_t saved_memory_room(const struct saved_memory *memory);

#endif
