#include "codec/vhd.h"

#include <endian.h>
#include <string.h>

uint32_t vhd_checksum(const void *bytes, size_t length, size_t checksum_at)
{
    const unsigned char *byte = bytes;
    uint32_t sum = 0;
    for (size_t index = 0; index < length; index++)
        if (index < checksum_at || index >= checksum_at + 4)
            sum += byte[index];
    return ~sum;
}

static uint32_t number32(const unsigned char *bytes)
{
    uint32_t number;
    memcpy(&number, bytes, sizeof(number));
    return be32toh(number);
}

static uint64_t number64(const unsigned char *bytes)
{
    uint64_t number;
    memcpy(&number, bytes, sizeof(number));
    return be64toh(number);
}

bool vhd_footer_read(const unsigned char bytes[static VHD_FOOTER_BYTES], struct vhd_footer *footer)
{
    *footer = (struct vhd_footer){.version = number32(bytes + 12),
                                  .header_at = number64(bytes + 16),
                                  .size_bytes = number64(bytes + 48),
                                  .type = number32(bytes + 60)};
    return memcmp(bytes, VHD_FOOTER_COOKIE, VHD_COOKIE_BYTES) == 0 &&
           number32(bytes + VHD_FOOTER_CHECKSUM_AT) ==
               vhd_checksum(bytes, VHD_FOOTER_BYTES, VHD_FOOTER_CHECKSUM_AT);
}

bool vhd_header_read(const unsigned char bytes[static VHD_HEADER_BYTES], struct vhd_header *header)
{
    *header = (struct vhd_header){.table_at = number64(bytes + 16),
                                  .version = number32(bytes + 24),
                                  .table_entries = number32(bytes + 28),
                                  .block_bytes = number32(bytes + 32)};
    return memcmp(bytes, VHD_HEADER_COOKIE, VHD_COOKIE_BYTES) == 0 &&
           number32(bytes + VHD_HEADER_CHECKSUM_AT) ==
               vhd_checksum(bytes, VHD_HEADER_BYTES, VHD_HEADER_CHECKSUM_AT);
}

uint32_t vhd_bitmap_bytes(uint32_t block_bytes)
{
    uint32_t bits_per_sector = VHD_FOOTER_BYTES * 8;
    uint32_t sectors = block_bytes / 512;
    return (sectors + bits_per_sector - 1) / bits_per_sector * VHD_FOOTER_BYTES;
}
