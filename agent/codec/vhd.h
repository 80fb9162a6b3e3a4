/* Microsoft's VHD image format: the parts that reading and writing share. All numbers are
 * big-endian. Source: "Virtual Hard Disk Image Format Specification", version 1.0. */
#ifndef SLICENODE_CODEC_VHD_H
#define SLICENODE_CODEC_VHD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VHD_FOOTER_BYTES 512
#define VHD_HEADER_BYTES 1024
#define VHD_FOOTER_COOKIE "conectix"
#define VHD_HEADER_COOKIE "cxsparse"
#define VHD_COOKIE_BYTES 8
#define VHD_VERSION 0x00010000u
#define VHD_UNUSED_BLOCK UINT32_MAX
#define VHD_FOOTER_CHECKSUM_AT 64
#define VHD_HEADER_CHECKSUM_AT 36

enum vhd_type { VHD_FIXED = 2, VHD_DYNAMIC = 3, VHD_DIFFERENCING = 4 };

struct vhd_footer {
    uint32_t version;
    uint64_t header_at;  /* of the dynamic header; all ones for fixed disks */
    uint64_t size_bytes; /* of the disk */
    uint32_t type;
};

struct vhd_header {
    uint32_t version;
    uint64_t table_at;
    uint32_t table_entries;
    uint32_t block_bytes;
};

/* The complement of the sum of all bytes, without the four of the checksum itself. */
uint32_t vhd_checksum(const void *bytes, size_t length, size_t checksum_at);

/* false unless cookie and checksum are right; nothing else is judged. */
bool vhd_footer_read(const unsigned char bytes[static VHD_FOOTER_BYTES], struct vhd_footer *footer);
bool vhd_header_read(const unsigned char bytes[static VHD_HEADER_BYTES], struct vhd_header *header);

/* Length of a block's sector bitmap, one bit for each 512 bytes, in whole sectors. */
uint32_t vhd_bitmap_bytes(uint32_t block_bytes);

#endif
