/* Volumes: the arguments of their operations, and how the controller sees them. */
#include "model/volume.h"

#include "base/err.h"
#include "base/json.h"
#include "model/arguments.h"
#include "model/request.h"

#include <stdio.h>

/* 64 TiB, as a slice's disk. Larger ones are refused; a pool may be larger (docs/boot.md). */
#define VOLUME_GIB_MAX 65536
#define FIRST_DEVICE_LETTER 'c' /* xvda is the slice's own disk, xvdb its seed */

int volume_parse(enum operation operation, const json_t *args, struct volume_args *volume,
                 struct err *err)
{
    bool sized = operation == OP_VOLUME_CREATE || operation == OP_VOLUME_RESIZE;
    struct fields fields;

    *volume = (struct volume_args){.force = false};
    if (fields_open(&fields, args, "", err) ||
        field_uuid(&fields, "volume", REQUIRED, volume->volume) ||
        (operation == OP_VOLUME_CREATE && name_read(&fields, "name", volume->name)) ||
        (sized &&
         field_size(&fields, "size_gib", REQUIRED, 1, VOLUME_GIB_MAX, &volume->size_gib)) ||
        (operation == OP_VOLUME_DETACH && field_flag(&fields, "force", OPTIONAL, &volume->force)) ||
        fields_end(&fields))
        return -1;
    return 0;
}

void volume_device(char device[static DEVICE_NAME_BYTES], unsigned slot)
{
    snprintf(device, DEVICE_NAME_BYTES, "xvd%c",
             FIRST_DEVICE_LETTER + (int)(slot % SLICE_VOLUMES_MAX));
}

static const char *state_of(const struct volume *volume)
{
    static const char *const names[] = {[VOLUME_CREATING] = "creating",
                                        [VOLUME_READY] = "available",
                                        [VOLUME_DELETING] = "deleting"};

    return volume->slice[0] ? "attached" : names[volume->state];
}

json_t *volume_to_protocol(const struct volume *volume)
{
    char device[DEVICE_NAME_BYTES];
    bool attached = volume->slice[0] != '\0';

    volume_device(device, volume->slot);
    return json_pack("{s:s, s:s, s:s, s:I, s:o, s:o}", "id", volume->id, "name", volume->name,
                     "state", state_of(volume), "size_gib", (json_int_t)volume->size_gib, "slice",
                     attached ? json_string(volume->slice) : json_null(), "device",
                     attached ? json_string(device) : json_null());
}
