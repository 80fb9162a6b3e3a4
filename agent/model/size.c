/* The sizes of a slice. */
#include "model/size.h"

#include "model/nic.h"
#include "model/slice.h"

struct domain_size slice_size(const struct slice *slice)
{
    struct domain_size size = {.vcpus = slice->vcpus,
                               .max_vcpus = slice->max_vcpus,
                               .memory_mib = slice->memory_mib,
                               .max_memory_mib = slice->max_memory_mib};

    if (size.max_vcpus < size.vcpus)
        size.max_vcpus = size.vcpus;
    if (size.max_memory_mib < size.memory_mib)
        size.max_memory_mib = size.memory_mib;
    return size;
}

void slice_set_size(struct slice *slice, const struct domain_size *size)
{
    slice->vcpus = size->vcpus;
    slice->max_vcpus = size->max_vcpus > size->vcpus ? size->max_vcpus : 0;
    slice->memory_mib = size->memory_mib;
    slice->max_memory_mib = size->max_memory_mib > size->memory_mib ? size->max_memory_mib : 0;
}
