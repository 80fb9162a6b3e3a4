#include "health/ask.h"

#include "base/memory.h"
#include "base/text.h"

#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <scsi/sg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* What a healthy disk answers in milliseconds, one that spins up in seconds. Ten times as long is
 * longer than the time after which a disk is told not to answer (disks.c). */
#define ANSWER_MS 10000

#define NVME_GET_LOG_PAGE 0x02
#define NVME_LOG_SMART 0x02
#define NVME_ALL_NAMESPACES 0xffffffff

static enum smart_verdict ask_nvme(int fd, struct smart_before *before,
                                   char text[static SMART_TEXT_BYTES])
{
    uint8_t log[NVME_LOG_BYTES] = {0};
    struct nvme_admin_cmd command = {.opcode = NVME_GET_LOG_PAGE,
                                     .nsid = NVME_ALL_NAMESPACES,
                                     .addr = (uintptr_t)log,
                                     .data_len = sizeof(log),
                                     .cdw10 = NVME_LOG_SMART | (sizeof(log) / 4 - 1) << 16,
                                     .timeout_ms = ANSWER_MS};

    return ioctl(fd, NVME_IOCTL_ADMIN_CMD, &command) == 0 ? smart_nvme(log, before, text)
                                                          : SMART_UNKNOWN;
}

struct scsi_answer {
    uint8_t data[252];
    uint8_t sense[64];
    size_t length, sense_length;
};

static int ask_scsi(int fd, const uint8_t *command, size_t length, bool reads,
                    struct scsi_answer *answer)
{
    struct sg_io_hdr request = {
        .interface_id = 'S',
        .dxfer_direction = reads ? SG_DXFER_FROM_DEV : SG_DXFER_NONE,
        .cmd_len = (unsigned char)length,
        .mx_sb_len = sizeof(answer->sense),
        .dxfer_len = reads ? sizeof(answer->data) : 0,
        .dxferp = reads ? answer->data : NULL,
        .cmdp = (unsigned char *)(uintptr_t)command,
        .sbp = answer->sense,
        .timeout = ANSWER_MS,
    };

    *answer = (struct scsi_answer){.length = 0};
    if (ioctl(fd, SG_IO, &request) < 0 || request.host_status != 0)
        return -1;
    answer->sense_length = request.sb_len_wr;
    if (reads && request.status == 0 && request.resid >= 0)
        answer->length = sizeof(answer->data) - (size_t)request.resid;
    return 0;
}

static enum smart_verdict ask_ata(int fd, char text[static SMART_TEXT_BYTES])
{
    /* ATA PASS-THROUGH (16): no data, registers back; SMART RETURN STATUS with its two keys */
    static const uint8_t command[16] = {0x85, 3 << 1, 0x20, 0, 0xda, 0, 0,    0,
                                        0,    0,      0x4f, 0, 0xc2, 0, 0xb0, 0};
    struct scsi_answer answer;

    return ask_scsi(fd, command, sizeof(command), false, &answer) == 0
               ? smart_ata(answer.sense, answer.sense_length, text)
               : SMART_UNKNOWN;
}

static enum smart_verdict ask_sas(int fd, char text[static SMART_TEXT_BYTES])
{
    /* LOG SENSE of the present values of page 0x2f */
    static const uint8_t command[10] = {0x4d, 0, 0x40 | 0x2f, 0, 0, 0, 0, 0, 252, 0};
    struct scsi_answer answer;

    return ask_scsi(fd, command, sizeof(command), true, &answer) == 0
               ? smart_scsi(answer.data, answer.length, text)
               : SMART_UNKNOWN;
}

static bool is_ata(const char *name)
{
    char path[128], vendor[9] = "";
    CLEANUP_CLOSE int fd = -1;

    snprintf(path, sizeof(path), "/sys/block/%s/device/vendor", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, vendor, 8) >= 3 && strncmp(vendor, "ATA", 3) == 0;
}

enum smart_verdict ask_disk(const char *name, struct smart_before *before,
                            char text[static SMART_TEXT_BYTES])
{
    char path[128];
    CLEANUP_CLOSE int fd = -1;

    snprintf(path, sizeof(path), "/dev/%s", name);
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return SMART_UNKNOWN;
    if (strncmp(name, "nvme", 4) == 0)
        return ask_nvme(fd, before, text);
    return is_ata(name) ? ask_ata(fd, text) : ask_sas(fd, text);
}
