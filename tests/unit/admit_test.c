/* admit: what fits; boot_check: whether the boot loader found something. */
#include "base/err.h"
#include "base/memory.h"
#include "capacity/admit.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/size.h"
#include "model/slice.h"
#include "model/volume.h"
#include "unit.h"
#include "watch/boot_check.h"

#include <stdio.h>
#include <string.h>

static struct capacity node(void)
{
    return (struct capacity){.threads = 4,
                             .memory_mib = 4096,
                             .storage = true,
                             .disk_bytes = 100 * GIB,
                             .pool = {.data_total_bytes = 100 * GIB,
                                      .data_used_bytes = 1,
                                      .metadata_total_bytes = 100,
                                      .metadata_used_bytes = 1}};
}

TEST(admit_counts_what_was_promised)
{
    struct slice slices[] = {
        {.id = "a",
         .memory_mib = 512,
         .vcpus = 1,
         .disk_gib = 10,
         .desired_running = true,
         .domain_id = -1},
        {.id = "b",
         .memory_mib = 512,
         .vcpus = 1,
         .disk_gib = 10,
         .domain_id = -1,
         .state = SLICE_STOPPED},
        {.id = "c",
         .memory_mib = 512,
         .vcpus = 1,
         .disk_gib = 10,
         .domain_id = 5,
         .state = SLICE_STOPPED},
    };
    const struct slice *const all[] = {&slices[0], &slices[1], &slices[2]};
    struct image images[] = {{.kind = IMAGE_DISK, .mapped_bytes = GIB},
                             {.kind = IMAGE_KERNEL, .mapped_bytes = 7}};
    struct capacity capacity = node();
    uint64_t each = admit_slice_memory_mib(&slices[0]);

    CHECK(each > 512 && each < 530);
    admit_promises(&capacity, all, 3, NULL, images, 2, 2 * GIB);
    CHECK_NUMBER(2 * each, capacity.memory_promised_mib);
    CHECK_NUMBER(33 * GIB + 3 * MIB, capacity.disk_promised_bytes);
    admit_promises(&capacity, all, 3, "a", images, 2, 2 * GIB);
    CHECK_NUMBER(each, capacity.memory_promised_mib);
    CHECK_NUMBER(4096 - each, admit_memory_free_mib(&capacity));

    /* A volume takes all of its size, whether it is attached or not. */
    struct volume volumes[] = {{.size_gib = 5}, {.size_gib = 2, .slice = "a"}};
    uint64_t before = capacity.disk_promised_bytes;
    admit_volumes(&capacity, volumes, 2);
    CHECK_NUMBER(before + 7 * GIB, capacity.disk_promised_bytes);
}

TEST(admit_promises_a_slice_its_domain_and_the_next)
{
    struct slice slice = {.memory_mib = 512, .vcpus = 1, .domain_id = 7};
    uint64_t small = admit_slice_memory_mib(&slice);

    /* Given more than it has: its next domain counts at once. */
    slice.domain = slice_size(&slice);
    slice.memory_mib = 1024;
    uint64_t large = admit_slice_memory_mib(&slice);
    CHECK_NUMBER(small + 512 + 4, large);
    CHECK_NUMBER(512, admit_domain_size(&slice).memory_mib);
    /* Given less: its domain counts until it has given back, or is gone. */
    slice.domain = slice_size(&slice);
    slice.memory_mib = 512;
    CHECK_NUMBER(large, admit_slice_memory_mib(&slice));
    slice.domain_id = -1;
    CHECK_NUMBER(small, admit_slice_memory_mib(&slice));
    CHECK_NUMBER(512, admit_domain_size(&slice).memory_mib);
    /* Room to grow costs its page tables, not its memory. */
    slice.max_memory_mib = 1024;
    slice.max_vcpus = 3;
    CHECK_NUMBER(small + 4 + 2, admit_slice_memory_mib(&slice));
}

TEST(admit_counts_what_back_ends_take_of_dom0)
{
    struct slice plain = {.id = "a", .vcpus = 1, .desired_running = true, .domain_id = -1};
    struct slice nics = {.id = "b", .vcpus = 1, .nic_count = 3, .domain_id = 4};
    struct slice stopped = {.id = "c", .vcpus = 1, .nic_count = 1, .domain_id = -1};
    const struct slice *const all[] = {&plain, &nics, &stopped};
    struct volume volumes[] = {{.slice = "a"}, {.slice = "c"}, {.id = "attached to none"}};
    struct capacity capacity = node();
    struct err err;
    uint64_t least = admit_slice_dom0_kib(&plain), nic = (admit_slice_dom0_kib(&nics) - least) / 3;

    CHECK_NUMBER(1280, least);
    CHECK_NUMBER(1024, nic);
    admit_promises(&capacity, all, 3, NULL, NULL, 0, 0);
    admit_volumes(&capacity, volumes, 3);
    CHECK_NUMBER(2 * least + 3 * nic, capacity.dom0_slices_kib);
    CHECK_NUMBER(2 * 384, capacity.dom0_volumes_kib);
    /* Again, without one of them: nothing of the last time is left. */
    admit_promises(&capacity, all, 3, "b", NULL, 0, 0);
    admit_volumes(&capacity, volumes, 3);
    CHECK_NUMBER(least, capacity.dom0_slices_kib);
    CHECK_NUMBER(2 * 384, capacity.dom0_volumes_kib);

    uint64_t promised = least + 2 * 384;
    capacity.dom0_kib = promised + least + nic;
    CHECK_NUMBER(0, admit_domain(&capacity, &stopped, &err));
    CHECK_NUMBER(0, admit_attached_volume(&capacity, &err));
    capacity.dom0_kib--;
    CHECK_NUMBER(-1, admit_domain(&capacity, &stopped, &err));
    CHECK_NUMBER(ERR_INSUFFICIENT_MEMORY, err.code);
    CHECK(strstr(err.message, "dom0") && strstr(err.message, "slicenode.dom0_mem"));
    CHECK_NUMBER(0, admit_domain(&capacity, &plain, &err));
    capacity.dom0_kib = promised + 383;
    CHECK_NUMBER(-1, admit_attached_volume(&capacity, &err));
    CHECK_NUMBER(ERR_INSUFFICIENT_MEMORY, err.code);
    /* A machine that came back with less has promised more than there is. */
    capacity.dom0_kib = 1;
    CHECK_NUMBER(0, admit_dom0_free_kib(&capacity));
    /* What dom0 needs for itself is nobody's. */
    CHECK_NUMBER(0, admit_dom0_for_slices_kib(112u << 10));
    CHECK_NUMBER(1, admit_dom0_for_slices_kib((112u << 10) + 1));
}

TEST(admit_is_exact_at_the_edge)
{
    struct slice slice = {.memory_mib = 1000, .vcpus = 2, .domain_id = -1};
    struct capacity capacity = node();
    struct err err;

    capacity.memory_promised_mib = capacity.memory_mib - admit_slice_memory_mib(&slice);
    CHECK_NUMBER(0, admit_memory(&capacity, &slice, &err));
    capacity.memory_promised_mib++;
    CHECK_NUMBER(-1, admit_memory(&capacity, &slice, &err));
    CHECK_NUMBER(ERR_INSUFFICIENT_MEMORY, err.code);
    CHECK_NUMBER(0, admit_vcpus(&capacity, 4, &err));
    CHECK_NUMBER(-1, admit_vcpus(&capacity, 5, &err));
    CHECK_NUMBER(ERR_INSUFFICIENT_VCPUS, err.code);
    capacity.disk_promised_bytes = 90 * GIB;
    CHECK_NUMBER(0, admit_disk(&capacity, 10 * GIB, "it", &err));
    CHECK_NUMBER(-1, admit_disk(&capacity, 10 * GIB + 1, "it", &err));
    CHECK_NUMBER(ERR_INSUFFICIENT_DISK, err.code);
    capacity.disk_promised_bytes = 200 * GIB;
    CHECK_NUMBER(0, admit_disk_free_bytes(&capacity));
}

TEST(admit_refuses_before_the_pool_is_full)
{
    struct capacity capacity = node();
    struct err err;

    CHECK_NUMBER(0, admit_pool(&capacity, &err));
    capacity.pool.data_used_bytes = 95 * GIB;
    CHECK_NUMBER(-1, admit_pool(&capacity, &err));
    CHECK_NUMBER(ERR_POOL_FULL, err.code);
    CHECK_NUMBER(1, admit_disk_short_bytes(&capacity, GIB));
    capacity.pool.data_used_bytes = 95 * GIB - 1;
    CHECK_NUMBER(0, admit_pool(&capacity, &err));
    CHECK_NUMBER(0, admit_disk_short_bytes(&capacity, GIB));
    capacity.pool.data_used_bytes = 96 * GIB;
    CHECK_NUMBER(GIB + 1, admit_disk_short_bytes(&capacity, GIB));
    capacity.disk_promised_bytes = 98 * GIB;
    CHECK_NUMBER(3 * GIB, admit_disk_short_bytes(&capacity, 5 * GIB));
    capacity = node();
    capacity.pool.metadata_used_bytes = 85;
    CHECK_NUMBER(-1, admit_pool(&capacity, &err));
    CHECK_NUMBER(ERR_POOL_FULL, err.code);
    capacity = node();
    capacity.pool.read_only = true;
    CHECK_NUMBER(-1, admit_pool(&capacity, &err));
    CHECK_NUMBER(ERR_STORAGE_ERROR, err.code);
    capacity = node();
    capacity.storage = false;
    CHECK_NUMBER(-1, admit_pool(&capacity, &err));
    CHECK_NUMBER(ERR_STORAGE_MISSING, err.code);
}

static enum boot_verdict judge(const char *console, bool ended, struct err *err)
{
    return boot_check(console, strlen(console), ended, err);
}

TEST(boot_check_verdicts)
{
    struct err err = {.code = ERR_NONE};

    CHECK_NUMBER(BOOT_UNKNOWN, judge("", false, &err));
    CHECK_NUMBER(BOOT_UNKNOWN, judge("Loading...\r\n", false, &err));
    CHECK_NUMBER(BOOT_KERNEL_RUNS, judge("[    0.000000] Linux version 6.12", false, &err));
    CHECK_NUMBER(BOOT_KERNEL_RUNS, judge("grub> \nLinux version 6", true, &err));
    CHECK_NUMBER(BOOT_LOADER_FAILED,
                 judge("error: no such device.\r\n\033[1;1Hgrub rescue> ", false, &err));
    CHECK_NUMBER(ERR_IMAGE_NOT_BOOTABLE, err.code);
    CHECK_HOLDS("error: no such device.", err.message);
    CHECK_NUMBER(BOOT_UNKNOWN, judge("grub> boot\r\nbooting\r\n", false, &err));
    CHECK_NUMBER(BOOT_UNKNOWN, judge("nothing here\n", true, &err));
}
