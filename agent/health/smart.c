#include "health/smart.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- NVMe ------------------------------------------------------------------------------------- */

/* Bits of the first byte, "critical warning". */
#define WARNING_SPARE 0x01
#define WARNING_TEMPERATURE 0x02
#define WARNING_RELIABILITY 0x04
#define WARNING_READ_ONLY 0x08
#define WARNING_BACKUP 0x10
#define WARNING_MEMORY_REGION 0x20

/* Some disks set bits that no version of the standard has; those say nothing. */
#define WARNINGS_KNOWN 0x3f

static uint64_t little_endian(const uint8_t *from)
{
    uint64_t value = 0;

    for (int i = 7; i >= 0; i--)
        value = value << 8 | from[i];
    return value;
}

static bool is_all(const uint8_t *bytes, size_t length, uint8_t value)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != value)
            return false;
    return true;
}

/* The worst comes first; one sentence is told. */
enum smart_verdict smart_nvme(const uint8_t log[static NVME_LOG_BYTES], struct smart_before *before,
                              char text[static SMART_TEXT_BYTES])
{
    uint8_t warning = log[0] & WARNINGS_KNOWN, spare = log[3], threshold = log[4], used = log[5];
    uint64_t media_errors = little_endian(log + 160), first;
    /* Worn out by its maker's count alone: such disks set the bit for lost reliability, too. */
    bool is_only_worn = used >= 100 && spare >= threshold && media_errors == 0;

    if (is_all(log, NVME_LOG_BYTES, 0) || is_all(log, NVME_LOG_BYTES, 0xff))
        return SMART_UNKNOWN;
    if (!before->is_known)
        *before = (struct smart_before){.is_known = true, .media_errors = media_errors};
    first = before->media_errors;
    if (warning & WARNING_READ_ONLY)
        snprintf(text, SMART_TEXT_BYTES, "has become read-only: replace it");
    else if (warning & WARNING_BACKUP)
        snprintf(text, SMART_TEXT_BYTES,
                 "cannot keep through a power cut what it has taken (its backup power failed): "
                 "replace it");
    else if ((warning & WARNING_SPARE) || spare < threshold)
        snprintf(text, SMART_TEXT_BYTES,
                 "has used up its spare blocks (%u %% are left, of at least %u %%): replace it",
                 spare, threshold);
    else if ((warning & WARNING_RELIABILITY) && !is_only_worn)
        snprintf(text, SMART_TEXT_BYTES,
                 "says of itself that it is not reliable any more: replace "
                 "it");
    else if (media_errors > first)
        snprintf(text, SMART_TEXT_BYTES,
                 "has lost data in %" PRIu64 " places since the boot: move the slices away and "
                 "replace it",
                 media_errors - first);
    else if (warning & WARNING_MEMORY_REGION)
        snprintf(text, SMART_TEXT_BYTES, "says that its persistent memory is not reliable");
    else if (warning & WARNING_TEMPERATURE)
        snprintf(text, SMART_TEXT_BYTES, "is outside its limits of temperature: see the fans");
    else if (used >= 100)
        snprintf(text, SMART_TEXT_BYTES,
                 "has been written as often as its maker promises (100 %% used): it may go on for "
                 "long; plan to replace it");
    else
        return SMART_GOOD;
    return SMART_BAD;
}

/* --- ATA -------------------------------------------------------------------------------------- */

#define SENSE_FIXED 0x70
#define SENSE_DESCRIPTORS 0x72
#define DESCRIPTOR_ATA 0x09
#define DESCRIPTOR_ATA_BYTES 14
#define ATA_STATUS_ERROR 0x01

/* The registers come back in a descriptor, or, from older controllers, in the bytes of the fixed
 * form. The pair of registers says which of two things is so; anything else is no answer. */
enum smart_verdict smart_ata(const uint8_t *sense, size_t length,
                             char text[static SMART_TEXT_BYTES])
{
    uint8_t middle, high, status;

    if (length >= 8 + DESCRIPTOR_ATA_BYTES && (sense[0] & 0x7f) == SENSE_DESCRIPTORS &&
        sense[8] == DESCRIPTOR_ATA) {
        middle = sense[8 + 9];
        high = sense[8 + 11];
        status = sense[8 + 13];
    } else if (length >= 12 && (sense[0] & 0x7f) == SENSE_FIXED) {
        status = sense[4];
        middle = sense[10];
        high = sense[11];
    } else {
        return SMART_UNKNOWN;
    }
    if (status & ATA_STATUS_ERROR)
        return SMART_UNKNOWN;
    if (middle == 0x4f && high == 0xc2)
        return SMART_GOOD;
    if (middle != 0xf4 || high != 0x2c)
        return SMART_UNKNOWN;
    snprintf(text, SMART_TEXT_BYTES,
             "expects to fail soon (SMART): move the slices away and replace it");
    return SMART_BAD;
}

/* --- SCSI ------------------------------------------------------------------------------------- */

#define LOG_PAGE_EXCEPTIONS 0x2f
#define ASC_WARNING 0x0b
#define ASC_PREDICTION 0x5d
#define ASCQ_ONLY_A_TEST 0xff

enum smart_verdict smart_scsi(const uint8_t *page, size_t length,
                              char text[static SMART_TEXT_BYTES])
{
    uint8_t code, qualifier;

    /* header of 4, parameter header of 4, code and qualifier of the general parameter 0 */
    if (length < 10 || (page[0] & 0x3f) != LOG_PAGE_EXCEPTIONS || page[4] != 0 || page[5] != 0 ||
        page[7] < 2 || is_all(page, length, 0))
        return SMART_UNKNOWN;
    code = page[8];
    qualifier = page[9];
    if (code == ASC_PREDICTION && qualifier != ASCQ_ONLY_A_TEST)
        snprintf(text, SMART_TEXT_BYTES,
                 "expects to fail soon (%02x/%02x): move the slices away and replace it", code,
                 qualifier);
    else if (code == ASC_WARNING && qualifier == 1)
        snprintf(text, SMART_TEXT_BYTES, "is too hot: see the fans");
    else if (code == ASC_WARNING)
        snprintf(text, SMART_TEXT_BYTES, "warns of itself (%02x/%02x)", code, qualifier);
    else
        return SMART_GOOD;
    return SMART_BAD;
}
