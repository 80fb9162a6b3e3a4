/* Requests, as they come from the controller. What is accepted must survive the store and give a
 * seed. */
#include "base/check.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/json.h"
#include "base/text.h"
#include "fuzz.h"
#include "model/arguments.h"
#include "model/document.h"
#include "model/export.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/protocol.h"
#include "model/provision.h"
#include "model/request.h"
#include "model/slice.h"
#include "model/volume.h"
#include "step/seed.h"

#include <string.h>

static void build_seed(const struct slice *slice)
{
    struct err err;
    void *image;
    size_t length;

    if (seed_build(slice, &image, &length, &err) < 0) {
        REQUIRE(err.code == ERR_INVALID_ARGUMENT);
        return;
    }
    REQUIRE(length > 0 && length <= SEED_LIMIT_BYTES && length % SEED_BLOCK_BYTES == 0);
    free(image);
}

static void provision(const struct request *request)
{
    struct slice slice, back;
    struct image image;
    struct err err;

    if (provision_parse(request->slice, request->args, &slice, &image, &err) < 0) {
        REQUIRE(err.code == ERR_INVALID_ARGUMENT || err.code == ERR_UNKNOWN_FIELD);
        REQUIRE(text_valid(err.message));
        return;
    }
    CLEANUP_JSON json_t *stored = slice_to_store(&slice);
    REQUIRE(slice_from_store(stored, &back, &err) == 0);
    CLEANUP_JSON json_t *again = slice_to_store(&back);
    REQUIRE(json_equal(stored, again));
    CLEANUP_JSON json_t *protocol = slice_to_protocol(&back, NULL, 0);
    REQUIRE(protocol);
    REQUIRE(hostname_valid(slice.hostname));
    for (unsigned i = 0; i < slice.nic_count; i++)
        REQUIRE(mac_valid(slice.nics[i].mac));
    build_seed(&slice);
    slice_free(&slice);
    slice_free(&back);
}

static void read_args(const struct request *request)
{
    struct snapshot_args snapshot;
    struct volume_args volume;
    struct export_args export;
    char id[UUID_TEXT_BYTES];
    struct resize_args resize;
    struct stop_args stop;
    struct image image;
    struct console_args console;
    struct err err;

    switch (request->operation) {
    case OP_SLICE_PROVISION:
        provision(request);
        break;
    case OP_SLICE_STOP:
    case OP_SLICE_REBOOT:
        stop_parse(request->args, &stop, &err);
        break;
    case OP_SLICE_RESIZE:
        if (resize_parse(request->args, &resize, &err) == 0)
            REQUIRE(resize.vcpus || resize.memory_mib || resize.disk_gib);
        break;
    case OP_SLICE_CONSOLE:
        console_parse(request->args, &console, &err);
        break;
    case OP_SNAPSHOT_CREATE:
    case OP_SNAPSHOT_REVERT:
    case OP_SNAPSHOT_DELETE:
        snapshot_parse(request->operation, request->args, &snapshot, &err);
        break;
    case OP_VOLUME_CREATE:
    case OP_VOLUME_ATTACH:
    case OP_VOLUME_DETACH:
    case OP_VOLUME_RESIZE:
    case OP_VOLUME_DELETE:
        volume_parse(request->operation, request->args, &volume, &err);
        break;
    case OP_SNAPSHOT_EXPORT:
        if (export_parse(request->args, &export, &err) == 0)
            REQUIRE(!export.url[0] || strncmp(export.url, "https://", 8) == 0);
        break;
    case OP_IMAGE_FETCH:
        if (image_parse(request->args, &image, &err) == 0)
            REQUIRE(strncmp(image.url, "https://", 8) == 0 || image.sha256[0]);
        break;
    case OP_IMAGE_DELETE:
        image_delete_parse(request->args, id, &err);
        break;
    default:
        no_args_parse(request->args, &err);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_JSON json_t *object = NULL;
    struct request request;
    struct err err;

    if (json_object_parse((const char *)data, size, &object, &err) < 0)
        return 0;
    if (request_parse(object, &request, &err) == 0) {
        read_args(&request);
        request_free(&request);
    } else {
        REQUIRE(text_valid(err.message));
    }
    return 0;
}
