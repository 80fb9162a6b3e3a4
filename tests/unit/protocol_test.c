/* The model and docs/protocol/openapi.json say the same. */
#include "base/check.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/json.h"
#include "base/memory.h"
#include "model/arguments.h"
#include "model/export.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/provision.h"
#include "model/request.h"
#include "model/slice.h"
#include "model/volume.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID "00000000-0000-4000-8000-000000000001"

static json_t *document;

static const json_t *walk(const json_t *value, const char *path)
{
    CLEANUP_FREE char *copy = xstrdup(path);
    char *rest = copy, *name;

    while (value && (name = strsep(&rest, "|")))
        value = json_object_get(value, name);
    return value;
}

static const json_t *schema(const char *path)
{
    const json_t *found;
    json_error_t problem;

    if (!document)
        document = json_load_file(ROOT "/docs/protocol/openapi.json", 0, &problem);
    found = walk(walk(document, "components|schemas"), path);
    if (!CHECK(found))
        printf("no %s in the OpenAPI file\n", path);
    return found;
}

__attribute__((destructor)) static void forget_document(void)
{
    json_decref(document);
}

static bool holds_text(const json_t *array, const char *text)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        if (strcmp(json_string_value(json_array_get(array, i)), text) == 0)
            return true;
    return false;
}

TEST(protocol_error_codes)
{
    const json_t *codes = schema("ErrorCode|enum");

    CHECK_NUMBER(ERR_COUNT - 1, json_array_size(codes));
    for (unsigned code = ERR_NONE + 1; code < ERR_COUNT; code++)
        if (!CHECK(holds_text(codes, err_code_name((enum err_code)code))))
            puts(err_code_name((enum err_code)code));
}

TEST(protocol_states_and_operations)
{
    const json_t *operations = schema("Request|discriminator|mapping");
    const json_t *states = schema("SliceState|enum");

    CHECK_NUMBER(OP_COUNT, json_object_size(operations));
    for (unsigned i = 0; i < OP_COUNT; i++)
        CHECK(json_object_get(operations, operation_name((enum operation)i)));
    CHECK_NUMBER(SLICE_TERMINATING + 1, json_array_size(states));
    for (unsigned i = 0; i <= SLICE_TERMINATING; i++)
        CHECK(holds_text(states, slice_state_name((enum slice_state)i)));
}

static int parse_provision(const char *name, json_int_t value)
{
    CLEANUP_JSON json_t *args = json_pack("{s:s, s:{s:s}, s:i, s:i, s:i}", "name", "a", "image",
                                          "id", ID, "vcpus", 1, "memory_mib", 64, "disk_gib", 1);
    struct slice slice;
    struct image image;
    int result;

    json_object_set_new(args, name, json_integer(value));
    result = provision_parse(ID, args, &slice, &image, NULL);
    if (result == 0)
        slice_free(&slice);
    return result;
}

TEST(protocol_limits_of_provision)
{
    static const char *const names[] = {"vcpus", "memory_mib", "disk_gib"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        CLEANUP_FREE char *path = xasprintf("ArgsSliceProvision|properties|%s", names[i]);
        const json_t *field = schema(path);
        json_int_t minimum = json_integer_value(json_object_get(field, "minimum"));
        json_int_t maximum = json_integer_value(json_object_get(field, "maximum"));

        CHECK_NUMBER(-1, parse_provision(names[i], minimum - 1));
        CHECK_NUMBER(0, parse_provision(names[i], minimum));
        CHECK_NUMBER(0, parse_provision(names[i], maximum));
        CHECK_NUMBER(-1, parse_provision(names[i], maximum + 1));
    }
}

TEST(protocol_other_limits)
{
    static const struct {
        const char *path;
        int64_t limit;
    } limits[] = {
        {"ArgsSliceProvision|properties|network|maxItems", SLICE_NICS_MAX},
        {"NetworkInterface|properties|addresses|maxItems", NIC_ADDRESSES_MAX},
        {"NetworkInterface|properties|dns|maxItems", NIC_DNS_MAX},
        {"CloudInit|properties|ssh_keys|maxItems", SSH_KEYS_MAX},
        {"CloudInit|properties|ssh_keys|items|maxLength", SSH_KEY_LIMIT},
        {"CloudInit|properties|user_data|maxLength", USER_DATA_LIMIT},
        {"ArgsSliceConsole|properties|bytes|maximum", CONSOLE_BYTES_LIMIT},
        {"Hostname|maxLength", HOSTNAME_BYTES - 1},
        {"Url|maxLength", URL_BYTES - 1},
        {"BootKernel|properties|cmdline|maxLength", COMMAND_LINE_BYTES - 1},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(limits); i++)
        if (!CHECK_NUMBER(limits[i].limit, json_integer_value(schema(limits[i].path))))
            puts(limits[i].path);
}

static int parse_args(const struct request *request, struct err *err)
{
    struct snapshot_args snapshot;
    struct volume_args volume;
    struct export_args export;
    char id[UUID_TEXT_BYTES];
    struct resize_args resize;
    struct stop_args stop;
    struct slice slice;
    struct image image;
    struct console_args console;
    bool drain;
    int result;

    switch (request->operation) {
    case OP_SLICE_PROVISION:
        result = provision_parse(request->slice, request->args, &slice, &image, err);
        if (result == 0)
            slice_free(&slice);
        return result;
    case OP_SLICE_STOP:
    case OP_SLICE_REBOOT:
        return stop_parse(request->args, &stop, err);
    case OP_SLICE_RESIZE:
        return resize_parse(request->args, &resize, err);
    case OP_SLICE_CONSOLE:
        return console_parse(request->args, &console, err);
    case OP_SNAPSHOT_CREATE:
    case OP_SNAPSHOT_REVERT:
    case OP_SNAPSHOT_DELETE:
        return snapshot_parse(request->operation, request->args, &snapshot, err);
    case OP_VOLUME_CREATE:
    case OP_VOLUME_ATTACH:
    case OP_VOLUME_DETACH:
    case OP_VOLUME_RESIZE:
    case OP_VOLUME_DELETE:
        return volume_parse(request->operation, request->args, &volume, err);
    case OP_SNAPSHOT_EXPORT:
        return export_parse(request->args, &export, err);
    case OP_IMAGE_FETCH:
        return image_parse(request->args, &image, err);
    case OP_IMAGE_DELETE:
        return image_delete_parse(request->args, id, err);
    case OP_NODE_DRAIN:
        return drain_parse(request->args, &drain, err);
    case OP_REQUEST_CANCEL:
        return cancel_parse(request->args, id, err);
    default:
        return no_args_parse(request->args, err);
    }
}

TEST(protocol_example_requests_are_understood)
{
    const json_t *requests;
    bool seen[OP_COUNT] = {false};

    if (!schema("Request"))
        return;
    requests = walk(document, "paths|/v1/nodes/{node_id}/requests|get|responses|200|content|"
                              "application/json|examples|every_operation|value|requests");
    for (size_t i = 0; i < json_array_size(requests); i++) {
        struct request request;
        struct err err;

        if (!CHECK_NUMBER(0, request_parse(json_array_get(requests, i), &request, &err))) {
            puts(err.message);
            continue;
        }
        if (!CHECK_NUMBER(0, parse_args(&request, &err)))
            printf("%s: %s\n", operation_name(request.operation), err.message);
        seen[request.operation] = true;
        request_free(&request);
    }
    for (unsigned i = 0; i < OP_COUNT; i++)
        if (!CHECK(seen[i]))
            printf("no example of %s\n", operation_name((enum operation)i));
}
