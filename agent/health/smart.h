/* What a disk says of its own health, as bytes, and what to tell the operator of it. Pure. */
#ifndef SLICENODE_HEALTH_SMART_H
#define SLICENODE_HEALTH_SMART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of a disk's trouble, for people; the rest is cut. */
#define SMART_TEXT_BYTES 200
#define NVME_LOG_BYTES 512

/* What is kept of a disk's first answer since the boot: a count that stays says nothing new. */
struct smart_before {
    bool is_known;
    uint64_t media_errors;
};

enum smart_verdict {
    SMART_UNKNOWN, /* it does not tell, or nothing that makes sense */
    SMART_GOOD,
    SMART_BAD, /* the text is filled */
};

/* NVMe's log page 2. */
enum smart_verdict smart_nvme(const uint8_t log[static NVME_LOG_BYTES], struct smart_before *before,
                              char text[static SMART_TEXT_BYTES]);

/* The sense data that the answer to SMART RETURN STATUS lies in. */
enum smart_verdict smart_ata(const uint8_t *sense, size_t length,
                             char text[static SMART_TEXT_BYTES]);

/* SCSI's log page 0x2f, informational exceptions. */
enum smart_verdict smart_scsi(const uint8_t *page, size_t length,
                              char text[static SMART_TEXT_BYTES]);

#endif
