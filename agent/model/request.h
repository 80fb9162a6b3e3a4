/* Requests: an operation, what it concerns and its arguments. */
#ifndef SLICENODE_MODEL_REQUEST_H
#define SLICENODE_MODEL_REQUEST_H

#include "base/err.h"
#include "base/ident.h"

#include <jansson.h>
#include <stdint.h>

/* Whether a request names a slice. The node knows where a volume is attached; who says it all
 * the same is held to it. */
enum request_scope { NAMES_NO_SLICE, NAMES_SLICE, MAY_NAME_SLICE };

/* The operations: their row in operation/, their name in the protocol, and what they are about. */
#define OPERATIONS(X)                                                                              \
    X(SLICE_PROVISION, slice_provision, "slice.provision", NAMES_SLICE)                            \
    X(SLICE_START, slice_start, "slice.start", NAMES_SLICE)                                        \
    X(SLICE_STOP, slice_stop, "slice.stop", NAMES_SLICE)                                           \
    X(SLICE_REBOOT, slice_reboot, "slice.reboot", NAMES_SLICE)                                     \
    X(SLICE_PAUSE, slice_pause, "slice.pause", NAMES_SLICE)                                        \
    X(SLICE_UNPAUSE, slice_unpause, "slice.unpause", NAMES_SLICE)                                  \
    X(SLICE_RESIZE, slice_resize, "slice.resize", NAMES_SLICE)                                     \
    X(SLICE_TERMINATE, slice_terminate, "slice.terminate", NAMES_SLICE)                            \
    X(SLICE_CONSOLE, slice_console, "slice.console", NAMES_SLICE)                                  \
    X(SNAPSHOT_CREATE, snapshot_create, "snapshot.create", NAMES_SLICE)                            \
    X(SNAPSHOT_REVERT, snapshot_revert, "snapshot.revert", NAMES_SLICE)                            \
    X(SNAPSHOT_DELETE, snapshot_delete, "snapshot.delete", NAMES_SLICE)                            \
    X(SNAPSHOT_EXPORT, snapshot_export, "snapshot.export", NAMES_SLICE)                            \
    X(IMAGE_FETCH, image_fetch, "image.fetch", NAMES_NO_SLICE)                                     \
    X(IMAGE_DELETE, image_delete, "image.delete", NAMES_NO_SLICE)                                  \
    X(VOLUME_CREATE, volume_create, "volume.create", NAMES_NO_SLICE)                               \
    X(VOLUME_ATTACH, volume_attach, "volume.attach", NAMES_SLICE)                                  \
    X(VOLUME_DETACH, volume_detach, "volume.detach", MAY_NAME_SLICE)                               \
    X(VOLUME_RESIZE, volume_resize, "volume.resize", NAMES_NO_SLICE)                               \
    X(VOLUME_DELETE, volume_delete, "volume.delete", NAMES_NO_SLICE)                               \
    X(NODE_REPORT, node_report, "node.report", NAMES_NO_SLICE)                                     \
    X(REQUEST_CANCEL, request_cancel, "request.cancel", NAMES_NO_SLICE)                            \
    X(NODE_DRAIN, node_drain, "node.drain", NAMES_NO_SLICE)                                        \
    X(NODE_REBOOT, node_reboot, "node.reboot", NAMES_NO_SLICE)

enum operation {
#define X(name, row, text, scope) OP_##name,
    OPERATIONS(X)
#undef X
        OP_COUNT
};

struct request {
    char id[UUID_TEXT_BYTES];
    enum operation operation;
    char slice[UUID_TEXT_BYTES]; /* "" for those that concern no slice */
    json_t *args;                /* owned */
    int64_t deadline_ms;         /* 0: none */
};

const char *operation_name(enum operation operation);

/* The request object of the protocol; refuses unknown fields and operations. The caller frees
 * `request` with request_free. */
int request_parse(const json_t *object, struct request *request, struct err *err);
void request_free(struct request *request);

#endif
