/* What becomes of the storage: how large its parts are, from the size of what they lie on. Pure. */
#ifndef SLICENODE_DISKS_PLAN_H
#define SLICENODE_DISKS_PLAN_H

#include <stdint.h>

#define DISK_SMALLEST_MIB 4096
/* 1 PiB: chunks of 16 MiB. Ten times as much would take chunks of 128 MiB, which each first
 * write to zero them costs a second or two. */
#define POOL_LARGEST_MIB ((uint64_t)1 << 30)

/* The size of the state volume: 5 %, at least 1 GiB, at most 16. */
uint64_t plan_state_mib(uint64_t group_mib);

/* The chunks that a new pool of this size gets. The kernel's metadata holds some 2^28 chunks; a new
 * pool has at most a quarter of that, so that it may grow fourfold. */
unsigned plan_chunk_kib(uint64_t pool_mib);

/* The size of the metadata of a pool: 64 bytes to a chunk, at least an extent of LVM, at most
 * what the kernel can use. */
uint64_t plan_metadata_mib(uint64_t pool_mib, unsigned chunk_kib);

/* How large a pool with such chunks can be. */
uint64_t plan_most_mib(unsigned chunk_kib);

/* The size of the pool of a mirror, of whose disks the smaller has so many MiB: what its other
 * parts leave. */
uint64_t plan_mirror_pool_mib(uint64_t disk_mib);

#endif
