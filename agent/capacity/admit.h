/* Admission: what a node has, what it has promised, and whether something more fits. Pure and
 * exact: what is admitted can be started, also when every slice fills its disk. */
#ifndef SLICENODE_CAPACITY_ADMIT_H
#define SLICENODE_CAPACITY_ADMIT_H

#include "backend/backend.h"
#include "base/err.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/slice.h"
#include "model/volume.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From these on no new volume is made: what is there must be able to go on writing. */
#define ADMIT_DATA_FULL_PERCENT 95
#define ADMIT_METADATA_FULL_PERCENT 85

struct capacity {
    unsigned threads;
    bool pvh;
    bool pv;
    uint64_t memory_mib; /* for slices and their overhead, dom0 and hypervisor not counted */
    uint64_t memory_promised_mib;
    uint64_t dom0_kib; /* of dom0's own memory, for the back ends of slices */
    uint64_t dom0_slices_kib;
    uint64_t dom0_volumes_kib;
    bool state_full; /* nothing more can be recorded but from the reserve */
    bool storage;    /* the node has a pool; else the rest is 0 */
    struct pool_usage pool;
    uint64_t disk_bytes;
    uint64_t disk_promised_bytes;
};

/* Memory that a domain of this size takes from the hypervisor, its page tables and structures
 * included. */
uint64_t admit_domain_memory_mib(const struct domain_size *size);

/* What a slice's domain has been given: of the next one's size when there is none or it is not
 * known. */
struct domain_size admit_domain_size(const struct slice *slice);

/* What is promised to a slice: enough for the domain that it has, and for the next one. */
uint64_t admit_slice_memory_mib(const struct slice *slice);

/* What its guest can make dom0 take, attached volumes apart. */
uint64_t admit_slice_dom0_kib(const struct slice *slice);

/* What a dom0 of this size has for back ends. */
uint64_t admit_dom0_for_slices_kib(uint64_t dom0_kib);

/* Whether it is promised memory: it is to run or still has its domain. */
bool admit_holds_memory(const struct slice *slice);

/* Pool space that a slice may come to fill, its seed included. */
uint64_t admit_slice_disk_bytes(const struct slice *slice);

/* Adds the memory that a slice is promised: its domain's, and dom0's for it. */
void admit_promise_memory(struct capacity *capacity, const struct slice *slice);

/* Sums up what the slices (other than `except`, which may be NULL), images and snapshots have been
 * promised; `snapshots_bytes` is what those reserve. A slice's memory counts while it is to run or
 * still has its domain. */
void admit_promises(struct capacity *capacity, const struct slice *const *slices,
                    size_t slice_count, const char *except, const struct image *images,
                    size_t image_count, uint64_t snapshots_bytes);

/* Adds what the volumes have been promised: all of their size, and dom0's memory for those that
 * are attached, also while their slice is stopped. After admit_promises. */
void admit_volumes(struct capacity *capacity, const struct volume *volumes, size_t count);

/* 0 when it fits; else insufficient_* or pool_full with what was asked and what is left. */
int admit_vcpus(const struct capacity *capacity, unsigned vcpus, struct err *err);
int admit_memory(const struct capacity *capacity, const struct slice *slice, struct err *err);
/* The memory of dom0 that its back ends can take; and both. */
int admit_back_ends(const struct capacity *capacity, const struct slice *slice, struct err *err);
int admit_domain(const struct capacity *capacity, const struct slice *slice, struct err *err);
int admit_attached_volume(const struct capacity *capacity, struct err *err);
int admit_disk(const struct capacity *capacity, uint64_t bytes, const char *what, struct err *err);

/* How much of the pool must be given back for admit_disk to admit `bytes`, by what is promised
 * and by what is used. */
uint64_t admit_disk_short_bytes(const struct capacity *capacity, uint64_t bytes);

/* storage_missing or pool_full when no new volume may be made at all. */
int admit_pool(const struct capacity *capacity, struct err *err);

uint64_t admit_memory_free_mib(const struct capacity *capacity);
uint64_t admit_dom0_free_kib(const struct capacity *capacity);
uint64_t admit_disk_free_bytes(const struct capacity *capacity);

/* Percent of the pool's metadata in use. */
double admit_metadata_percent(const struct capacity *capacity);

#endif
