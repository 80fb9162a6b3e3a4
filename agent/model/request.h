/* Requests: an operation, what it concerns and its arguments. */
#ifndef SLICENODE_MODEL_REQUEST_H
#define SLICENODE_MODEL_REQUEST_H

#include "base/err.h"
#include "base/ident.h"

#include <jansson.h>
#include <stdint.h>

/* The operations, in the protocol's spelling. */
#define OPERATIONS(X)                                                                              \
    X(SLICE_PROVISION, "slice.provision")                                                          \
    X(SLICE_START, "slice.start")                                                                  \
    X(SLICE_STOP, "slice.stop")                                                                    \
    X(SLICE_REBOOT, "slice.reboot")                                                                \
    X(SLICE_PAUSE, "slice.pause")                                                                  \
    X(SLICE_UNPAUSE, "slice.unpause")                                                              \
    X(SLICE_RESIZE, "slice.resize")                                                                \
    X(SLICE_TERMINATE, "slice.terminate")                                                          \
    X(SLICE_CONSOLE, "slice.console")                                                              \
    X(SNAPSHOT_CREATE, "snapshot.create")                                                          \
    X(SNAPSHOT_REVERT, "snapshot.revert")                                                          \
    X(SNAPSHOT_DELETE, "snapshot.delete")                                                          \
    X(SNAPSHOT_EXPORT, "snapshot.export")                                                          \
    X(IMAGE_FETCH, "image.fetch")                                                                  \
    X(IMAGE_DELETE, "image.delete")                                                                \
    X(VOLUME_CREATE, "volume.create")                                                              \
    X(VOLUME_ATTACH, "volume.attach")                                                              \
    X(VOLUME_DETACH, "volume.detach")                                                              \
    X(VOLUME_RESIZE, "volume.resize")                                                              \
    X(VOLUME_DELETE, "volume.delete")                                                              \
    X(NODE_REPORT, "node.report")                                                                  \
    X(REQUEST_CANCEL, "request.cancel")                                                            \
    X(NODE_DRAIN, "node.drain")                                                                    \
    X(NODE_REBOOT, "node.reboot")

enum operation {
#define X(name, text) OP_##name,
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
