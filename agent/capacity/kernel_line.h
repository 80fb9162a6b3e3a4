/* What single lines of the kernel's log say of the machine's health. Pure. */
#ifndef SLICENODE_CAPACITY_KERNEL_LINE_H
#define SLICENODE_CAPACITY_KERNEL_LINE_H

#include <stdbool.h>
#include <stdint.h>

/* DISK_NAME_LEN of the kernel. */
#define KERNEL_DEVICE_BYTES 32
/* Of a firmware file's name; a longer one is cut in the message. */
#define KERNEL_FILE_BYTES 128

enum kernel_news {
    KERNEL_NO_NEWS,
    KERNEL_DISK_ERROR,       /* device, sector; is_flush: sector says nothing */
    KERNEL_DISK_GONE,        /* device: the driver has given it up, or it was pulled out */
    KERNEL_FIRMWARE_MISSING, /* driver, device, file */
    KERNEL_HARDWARE_ERROR,   /* of memory, processor or bus, as the machine's firmware tells */
};

struct kernel_line {
    enum kernel_news news;
    char driver[KERNEL_DEVICE_BYTES];
    char device[KERNEL_DEVICE_BYTES];
    char file[KERNEL_FILE_BYTES];
    uint64_t sector;
    bool is_flush;
    bool is_corrected;
};

/* Reads a line as it stands in /dev/kmsg ("3,812,93,-;text") or as its text alone. Lines that
 * another than the kernel has put there say nothing. */
struct kernel_line kernel_line_read(const char *line);

#endif
