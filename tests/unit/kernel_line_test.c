/* kernel_line: lines of the kernel's log as public bug reports have them, and what they mean. */
#include "base/memory.h"
#include "capacity/kernel_line.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

TEST(kernel_lines_that_tell_of_a_sick_disk)
{
    static const struct {
        const char *line, *disk;
        unsigned long long sector;
    } cases[] = {
        {"I/O error, dev vda, sector 2101248 op 0x0:(READ) flags 0x80700", "vda", 2101248},
        {"3,812,93,-;I/O error, dev vda, sector 7 op 0x0:(READ) flags 0x80700 phys_seg 1", "vda",
         7},
        /* openebs/openebs#1433, Linux 4: no word on what was asked */
        {"blk_update_request: critical medium error, dev sdb, sector 5120", "sdb", 5120},
        /* longhorn/longhorn#1920 */
        {"blk_update_request: critical medium error, dev sde, sector 3260792 op 0x0:(READ) flags "
         "0x80700 phys_seg 211 prio class 0",
         "sde", 3260792},
        /* trapexit/bbf#29 */
        {"blk_update_request: I/O error, dev sde, sector 3150499624 op 0x0:(READ) flags 0x80700 "
         "phys_seg 17 prio class 0",
         "sde", 3150499624},
        /* util-linux/util-linux#1220 */
        {"blk_update_request: critical target error, dev sdb, sector 16368 op 0x0:(READ) flags 0x0 "
         "phys_seg 1 prio class 0",
         "sdb", 16368},
        /* kdave/btrfs-progs#779 */
        {"critical target error, dev sdg, sector 6274678784 op 0x7:(ZONE_APPEND) flags 0x104000 "
         "phys_seg 11 prio class 0",
         "sdg", 6274678784},
        {"critical medium error, dev nvme0n1, sector 7 op 0x1:(WRITE)", "nvme0n1", 7},
        {"critical medium error, dev sda, sector 8 op 0x9:(WRITE_ZEROES) flags 0x800", "sda", 8},
        {"timeout error, dev sda, sector 8 op 0x1:(WRITE) flags 0x800", "sda", 8},
        {"protection error, dev nvme1c1n1, sector 8 op 0x0:(READ) flags 0x0", "nvme1c1n1", 8},
        {"I/O error, dev sda, sector 18446744073709551615 op 0x2:(FLUSH) flags 0x800", "sda",
         18446744073709551615ull},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct kernel_line found = kernel_line_read(cases[i].line);
        CHECK_NUMBER(KERNEL_DISK_ERROR, found.news);
        CHECK_TEXT(cases[i].disk, found.device);
        CHECK(found.sector == cases[i].sector);
        CHECK(found.is_flush == (strstr(cases[i].line, "FLUSH") != NULL));
    }
    CHECK_NUMBER(KERNEL_DISK_GONE,
                 kernel_line_read("device offline error, dev sdc, sector 2048 op 0x0:(READ) flags "
                                  "0x80700 phys_seg 1 prio class 2")
                     .news);
}

TEST(kernel_lines_that_tell_of_no_sick_disk)
{
    static const char *const lines[] = {
        /* spdk/spdk#1714, and what thin pools on a virtio disk make of a discard */
        "blk_update_request: operation not supported error, dev vdb, sector 826298624 op 0x9: "
        "(WRITE_ZEROES) flags 0x800 phys_seg 0 prio class 0",
        "operation not supported error, dev sda, sector 2048 op 0x9:(WRITE_ZEROES) flags 0x800800",
        "operation not supported error, dev sda, sector 2048 op 0x0:(READ) flags 0x0",
        /* batocera-linux/batocera.linux#13092 */
        "critical target error, dev sdb, sector 3778028504 op 0x3:(DISCARD) flags 0x800 phys_seg 1",
        "blk_update_request: I/O error, dev sda, sector 11 op 0x7:(WRITE_SAME) flags 0x0",
        "I/O error, dev sda, sector 11 op 0x5:(SECURE_ERASE) flags 0x0",
        /* tytso/e2fsprogs#39, openzfs/zfs#12926 */
        "blk_update_request: I/O error, dev loop6, sector 524160 op 0x9:(WRITE_ZEROES) flags "
        "0x1000",
        "blk_update_request: operation not supported error, dev loop0, sector 0 op 0x9:(WRITE_ZER",
        /* markfasheh/ocfs2-tools#46, vmware/photon#1067, voidlinux/void-packages#4804 */
        "blk_update_request: I/O error, dev fd0, sector 0 op 0x0:(READ) flags 0x0 phys_seg 1",
        "print_req_error: I/O error, dev fd0, sector 0",
        "end_request: I/O error, dev fd0, sector 0",
        /* automatic-ripping-machine/automatic-ripping-machine#328 */
        "print_req_error: I/O error, dev sr0, sector 10273792",
        "critical medium error, dev sr0, sector 0 op 0x0:(READ) flags 0x80700 phys_seg 1",
        /* coolsnowwolf/lede#119 */
        "blk_update_request: I/O error, dev mtdblock1, sector 0",
        "I/O error, dev mmcblk0boot0, sector 0 op 0x0:(READ) flags 0x0",
        "I/O error, dev mmcblk0rpmb, sector 0 op 0x0:(READ) flags 0x0",
        "invalid error, dev sda, sector 0 op 0x0:(READ) flags 0x0",
        "nonblocking retry error, dev sda, sector 0 op 0x0:(READ) flags 0x0",
        "sd 3:0:0:0: [sda] tag#3 Sense Key : Recovered Error [current]",
        "sd 3:0:0:0: [sda] tag#3 Add. Sense: Recovered data with retries",
        "Buffer I/O error on dev sr0, logical block 0, async page read",
        "I/O error, dev , sector 0",
        "I/O error, dev ?, sector 0 op 0x0:(READ) flags 0x0",
        "I/O error, dev sda, sector x",
        "EXT4-fs error (device dm-0)",
        /* whoever may write to /dev/kmsg is not the kernel */
        "12,812,93,-;I/O error, dev vda, sector 7 op 0x0:(READ) flags 0x80700",
        "init: said \"I/O error, dev sda, sector 7\"",
        "",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
        if (!CHECK_NUMBER(KERNEL_NO_NEWS, kernel_line_read(lines[i]).news))
            puts(lines[i]);
}

TEST(kernel_lines_that_ask_for_firmware)
{
    static const struct {
        const char *line, *driver, *device, *file;
    } cases[] = {
        /* open-power-host-os/builds#25, siderolabs/talos#8761 */
        {"bnx2x 0001:0c:00.2: Direct firmware load for bnx2x/bnx2x-e2-7.13.1.0.fw failed with "
         "error "
         "-2",
         "bnx2x", "0001:0c:00.2", "bnx2x/bnx2x-e2-7.13.1.0.fw"},
        {"4,700,5123,-;bnx2 0000:03:00.0: Direct firmware load for bnx2/bnx2-mips-09-6.2.1b.fw "
         "failed with error -2",
         "bnx2", "0000:03:00.0", "bnx2/bnx2-mips-09-6.2.1b.fw"},
        {"bnx2 0000:02:00.0 eth0: Direct firmware load for bnx2/bnx2-mips-09-6.2.1b.fw failed with "
         "error -2",
         "bnx2", "0000:02:00.0", "bnx2/bnx2-mips-09-6.2.1b.fw"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct kernel_line found = kernel_line_read(cases[i].line);
        CHECK_NUMBER(KERNEL_FIRMWARE_MISSING, found.news);
        CHECK_TEXT(cases[i].driver, found.driver);
        CHECK_TEXT(cases[i].device, found.device);
        CHECK_TEXT(cases[i].file, found.file);
    }
    CHECK_NUMBER(KERNEL_NO_NEWS, kernel_line_read("ice 0000:17:00.0: Direct firmware load for "
                                                  "intel/ice/ddp/ice.pkg failed with error -12")
                                     .news);
}

TEST(kernel_lines_of_hardware_errors)
{
    struct kernel_line found =
        kernel_line_read("4,9,1,-;{1}[Hardware Error]: event severity: corrected");

    CHECK_NUMBER(KERNEL_HARDWARE_ERROR, found.news);
    CHECK(found.is_corrected);
    found = kernel_line_read("{2}[Hardware Error]: event severity: recoverable");
    CHECK_NUMBER(KERNEL_HARDWARE_ERROR, found.news);
    CHECK(!found.is_corrected);
    CHECK_NUMBER(KERNEL_NO_NEWS,
                 kernel_line_read("{2}[Hardware Error]: event severity: info").news);
    CHECK_NUMBER(KERNEL_NO_NEWS,
                 kernel_line_read("{1}[Hardware Error]:  Error 0, type: corrected").news);
}
