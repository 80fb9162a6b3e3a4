/* Sends one snapshot to a URL or into a descriptor: runs `sliced-export` and, for a URL,
 * `sliced-net upload` with a pipe between them. Blocks; made for a worker process. */
#ifndef SLICENODE_TRANSFER_SEND_H
#define SLICENODE_TRANSFER_SEND_H

#include "base/err.h"
#include "model/export.h"
#include "model/image.h"

#include <stdint.h>

struct transfer_export {
    const char *libexec;            /* the folder of the two programs */
    const struct export_args *args; /* what to send and where; without a URL into `output` */
    const char *ca;                 /* as for images; NULL for none */
    int output;                     /* stays the caller's; -1 when there is a URL */
    int volume;                     /* the snapshot's, open for reading; stays the caller's */
    int metadata;                   /* the pool's; -1: all of the volume is read */
    uint64_t superblock;            /* of the metadata */
    uint32_t thin_id;               /* the volume's number */
    uint32_t since_id;              /* the older volume's; 0 for none */
    uint64_t size_bytes;            /* of the disk */
    int64_t created_ms;             /* of the snapshot */
    /* Called about once a second with how much of the disk is behind. */
    void (*progress)(void *argument, int percent);
    /* The metadata have been read: from now on `metadata` may be closed. */
    void (*mapped)(void *argument);
    void *argument;
};

struct transfer_export_result {
    uint64_t bytes; /* sent */
    uint64_t read_bytes;
    char sha256[SHA256_TEXT_BYTES]; /* of what was sent */
};

/* 0 when all was sent and, for a URL, the server has said that it has it. Otherwise -1 with one of
 * export_failed, storage_error, timeout, cancelled, invalid_argument or internal. No child is left
 * behind. */
int transfer_export(const struct transfer_export *job, struct transfer_export_result *result,
                    struct err *err);

#endif
