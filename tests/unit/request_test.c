/* model: the request object and the arguments of the short operations. */
#include "base/err.h"
#include "base/ident.h"
#include "base/json.h"
#include "base/memory.h"
#include "model/arguments.h"
#include "model/image.h"
#include "model/request.h"
#include "model/slice.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID "00000000-0000-4000-8000-000000000001"

static json_t *parse(const char *text)
{
    struct err err;
    json_t *object = NULL;

    if (!CHECK_NUMBER(0, json_object_parse(text, strlen(text), &object, &err)))
        printf("%s: %s\n", text, err.message);
    return object;
}

TEST(request_is_read)
{
    CLEANUP_JSON json_t *object =
        parse("{\"id\":\"" ID "\",\"op\":\"slice.stop\",\"slice\":\"" ID
              "\",\"args\":{\"force\":true},\"deadline\":\"2026-01-02T03:04:05Z\"}");
    struct request request;
    struct err err;

    if (!CHECK_NUMBER(0, request_parse(object, &request, &err)))
        return;
    CHECK(request.operation == OP_SLICE_STOP && request.deadline_ms == 1767323045000);
    CHECK_TEXT(ID, request.id);
    CHECK_TEXT(ID, request.slice);
    CHECK(json_is_true(json_object_get(request.args, "force")));
    request_free(&request);
    CLEANUP_JSON json_t *report =
        parse("{\"id\":\"" ID "\",\"op\":\"node.report\",\"slice\":null,\"deadline\":null}");
    CHECK_NUMBER(0, request_parse(report, &request, &err));
    CHECK(request.slice[0] == '\0' && request.deadline_ms == 0);
    CHECK_NUMBER(0, json_object_size(request.args));
    request_free(&request);
}

TEST(request_refusals)
{
    static const struct {
        const char *text;
        enum err_code code;
        const char *message;
    } cases[] = {
        {"{}", ERR_INVALID_ARGUMENT, "id is missing"},
        {"{\"id\":\"" ID "\"}", ERR_INVALID_ARGUMENT, "op is missing"},
        {"{\"id\":\"" ID "\",\"op\":\"slice.dance\"}", ERR_UNKNOWN_OPERATION, "\"slice.dance\""},
        {"{\"id\":\"x\",\"op\":\"slice.stop\"}", ERR_INVALID_ARGUMENT, "id \"x\""},
        {"{\"id\":\"" ID "\",\"op\":\"slice.stop\"}", ERR_INVALID_ARGUMENT, "needs a slice"},
        {"{\"id\":\"" ID "\",\"op\":\"snapshot.create\"}", ERR_INVALID_ARGUMENT, "needs a slice"},
        {"{\"id\":\"" ID "\",\"op\":\"image.fetch\",\"slice\":\"" ID "\"}", ERR_INVALID_ARGUMENT,
         "takes no slice"},
        {"{\"id\":\"" ID "\",\"op\":\"node.report\",\"args\":[]}", ERR_INVALID_ARGUMENT,
         "args is an array"},
        {"{\"id\":\"" ID "\",\"op\":\"node.report\",\"deadline\":5}", ERR_INVALID_ARGUMENT,
         "deadline is a number"},
        {"{\"id\":\"" ID "\",\"op\":\"node.report\",\"priority\":5}", ERR_UNKNOWN_FIELD,
         "\"priority\""},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        CLEANUP_JSON json_t *object = parse(cases[i].text);
        struct request request;
        struct err err = {.code = ERR_NONE};

        CHECK_NUMBER(-1, request_parse(object, &request, &err));
        CHECK_NUMBER(cases[i].code, err.code);
        CHECK_HOLDS(cases[i].message, err.message);
    }
}

TEST(resize_arguments)
{
    static const struct {
        const char *text;
        enum err_code code;
        const char *message;
    } cases[] = {
        {"{}", ERR_INVALID_ARGUMENT, "one is needed"},
        {"{\"vcpus\":0}", ERR_INVALID_ARGUMENT, "1 to 128"},
        {"{\"memory_mib\":8}", ERR_INVALID_ARGUMENT, "16 to 16777216"},
        {"{\"memory_mib\":-9223372036854775808}", ERR_INVALID_ARGUMENT, "16 to 16777216"},
        {"{\"disk_gib\":65537}", ERR_INVALID_ARGUMENT, "1 to 65536"},
        {"{\"disk_gib\":1.5}", ERR_INVALID_ARGUMENT, "whole number"},
        {"{\"disk_mib\":1}", ERR_UNKNOWN_FIELD, "\"disk_mib\""},
    };
    struct resize_args resize;
    struct err err;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        CLEANUP_JSON json_t *object = parse(cases[i].text);

        CHECK_NUMBER(-1, resize_parse(object, &resize, &err));
        CHECK_NUMBER(cases[i].code, err.code);
        CHECK_HOLDS(cases[i].message, err.message);
    }
    CLEANUP_JSON json_t *object = parse("{\"memory_mib\":300}");
    CHECK_NUMBER(0, resize_parse(object, &resize, &err));
    CHECK(resize.memory_mib == 300 && resize.vcpus == 0 && resize.disk_gib == 0);
}

TEST(stop_arguments)
{
    CLEANUP_JSON json_t *none = json_object();
    CLEANUP_JSON json_t *all = parse("{\"timeout_seconds\":0,\"force\":true}");
    CLEANUP_JSON json_t *late = parse("{\"timeout_seconds\":3601}");
    struct stop_args stop;
    struct err err;

    CHECK_NUMBER(0, stop_parse(none, &stop, &err));
    CHECK(stop.timeout_seconds == 60 && !stop.force);
    CHECK_NUMBER(0, stop_parse(all, &stop, &err));
    CHECK(stop.timeout_seconds == 0 && stop.force);
    CHECK_NUMBER(-1, stop_parse(late, &stop, &err));
    CHECK_TEXT("timeout_seconds is 3601, but must be 0 to 3600", err.message);
}

TEST(snapshot_arguments)
{
    CLEANUP_JSON json_t *create = parse("{\"snapshot\":\"" ID "\",\"name\":\"before\"}");
    CLEANUP_JSON json_t *revert = parse("{\"snapshot\":\"" ID "\",\"restart\":true}");
    struct snapshot_args snapshot;
    struct err err;

    CHECK_NUMBER(0, snapshot_parse(OP_SNAPSHOT_CREATE, create, &snapshot, &err));
    CHECK_TEXT("before", snapshot.name);
    CHECK_NUMBER(0, snapshot_parse(OP_SNAPSHOT_REVERT, revert, &snapshot, &err));
    CHECK(snapshot.restart);
    CHECK_NUMBER(-1, snapshot_parse(OP_SNAPSHOT_CREATE, revert, &snapshot, &err));
    CHECK_TEXT("name is missing", err.message);
    CHECK_NUMBER(-1, snapshot_parse(OP_SNAPSHOT_DELETE, revert, &snapshot, &err));
    CHECK_NUMBER(ERR_UNKNOWN_FIELD, err.code);
}

TEST(image_arguments)
{
    CLEANUP_JSON json_t *kernel =
        parse("{\"id\":\"" ID "\",\"url\":\"https://h/vmlinuz\",\"kind\":\"kernel\"}");
    CLEANUP_JSON json_t *no_url = parse("{\"id\":\"" ID "\"}");
    CLEANUP_JSON json_t *plain = parse("{\"id\":\"" ID "\",\"url\":\"http://h/x\"}");
    char id[UUID_TEXT_BYTES];
    struct image image;
    struct err err;

    CHECK_NUMBER(0, image_parse(kernel, &image, &err));
    CHECK(image.kind == IMAGE_KERNEL && image.compression == COMPRESSION_NONE && !image.ready);
    CHECK_NUMBER(-1, image_parse(no_url, &image, &err));
    CHECK_TEXT("url is missing", err.message);
    CHECK_NUMBER(-1, image_parse(plain, &image, &err));
    CHECK_HOLDS("sha256 is needed", err.message);
    CHECK_NUMBER(0, image_delete_parse(no_url, id, &err));
    CHECK_TEXT(ID, id);
    CHECK_NUMBER(-1, image_delete_parse(plain, id, &err));
    CHECK_NUMBER(ERR_UNKNOWN_FIELD, err.code);
}

TEST(console_and_empty_arguments)
{
    CLEANUP_JSON json_t *none = json_object();
    CLEANUP_JSON json_t *some = parse("{\"bytes\":1048576,\"follow_seconds\":3600}");
    CLEANUP_JSON json_t *zero = parse("{\"bytes\":0}");
    CLEANUP_JSON json_t *long_time = parse("{\"follow_seconds\":3601}");
    struct err err;
    struct console_args console;

    CHECK_NUMBER(0, console_parse(none, &console, &err));
    CHECK(console.bytes == 16384 && console.follow_seconds == 0);
    CHECK_NUMBER(0, console_parse(some, &console, &err));
    CHECK(console.bytes == 1048576 && console.follow_seconds == 3600);
    CHECK_NUMBER(-1, console_parse(zero, &console, &err));
    CHECK_NUMBER(-1, console_parse(long_time, &console, &err));
    CHECK_NUMBER(0, no_args_parse(none, &err));
    CHECK_NUMBER(-1, no_args_parse(some, &err));
    CHECK_NUMBER(ERR_UNKNOWN_FIELD, err.code);
}

TEST(names_of_states_and_operations)
{
    enum slice_state state;

    for (unsigned i = SLICE_PROVISIONING; i <= SLICE_TERMINATING; i++) {
        CHECK_NUMBER(0, slice_state_parse(slice_state_name((enum slice_state)i), &state));
        CHECK_NUMBER(i, state);
    }
    CHECK_NUMBER(-1, slice_state_parse("asleep", &state));
    CHECK_TEXT("snapshot.revert", operation_name(OP_SNAPSHOT_REVERT));
    CHECK_TEXT("unknown", operation_name(OP_COUNT));
}
