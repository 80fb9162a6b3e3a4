#include "model/snapshot.h"

#include "base/memory.h"
#include "model/slice.h"

/* Each page of 4 KiB with its number of 8 bytes, the numbers of the holes below 4 GiB that a PVH
 * domain's address space has (8 MiB), what a guest keeps of memory that it is to give back (8
 * MiB), and the state of processors and devices. */
#define SAVED_FIXED_MIB 32
#define SAVED_VCPU_MIB 1
#define SAVED_SHARE 256

uint64_t saved_memory_room(const struct saved_memory *memory)
{
    const struct domain_size *size = &memory->size;

    return (size->memory_mib + size->max_memory_mib / SAVED_SHARE + SAVED_FIXED_MIB +
            size->max_vcpus * SAVED_VCPU_MIB) *
           MIB;
}
