/* Data disks that outlive the slices they are attached to. */
#ifndef SLICENODE_MODEL_VOLUME_H
#define SLICENODE_MODEL_VOLUME_H

#include "base/err.h"
#include "base/ident.h"
#include "model/request.h"
#include "model/slice.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define SLICE_VOLUMES_MAX 16 /* attached at a time: xvdc to xvdr */
/* Volumes of a node. Each has 170 bytes of the registration and a row that the heartbeat reads:
 * 11 MB and 0.1 s for all. More are refused with a message. */
#define NODE_VOLUMES_MAX 65536
#define DEVICE_NAME_BYTES 8

enum volume_state { VOLUME_CREATING, VOLUME_READY, VOLUME_DELETING };

/* A data disk that outlives the slices it is attached to. */
struct volume {
    char id[UUID_TEXT_BYTES];
    char name[SLICE_NAME_BYTES];
    enum volume_state state;
    uint64_t size_gib; /* all of it is reserved */
    uint32_t thin_id;
    char slice[UUID_TEXT_BYTES]; /* that it is attached to; "" for none */
    unsigned slot;               /* of that slice, from 0; says which device it is */
};

struct volume_args {
    char volume[UUID_TEXT_BYTES];
    char name[SLICE_NAME_BYTES];
    uint64_t size_gib;
    bool force;
};
int volume_parse(enum operation operation, const json_t *args, struct volume_args *volume,
                 struct err *err);

/* The protocol's Volume object. */
json_t *volume_to_protocol(const struct volume *volume);

/* The name under which a slice sees the volume of that slot: xvdc, xvdd, ... */
void volume_device(char device[static DEVICE_NAME_BYTES], unsigned slot);

#endif
