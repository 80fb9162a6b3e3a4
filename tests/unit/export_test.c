/* export: the arguments of snapshot.export, and which parts of a volume are sent. */
#include "base/err.h"
#include "base/json.h"
#include "base/memory.h"
#include "export/export.h"
#include "export/map.h"
#include "model/export.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define ID "00000000-0000-4000-8000-000000000001"
#define OTHER "00000000-0000-4000-8000-000000000002"

static json_t *parse(const char *text)
{
    json_t *object = NULL;
    struct err err;

    CHECK_NUMBER(0, json_object_parse(text, strlen(text), &object, &err));
    return object;
}

TEST(export_arguments)
{
    CLEANUP_JSON json_t *short_form = parse("{\"snapshot\":\"" ID "\"}");
    CLEANUP_JSON json_t *long_form =
        parse("{\"snapshot\":\"" ID "\",\"url\":\"https://h/x\",\"format\":\"raw\",\"since\":"
              "\"" OTHER "\",\"compression\":\"zstd\",\"stall_seconds\":7,"
              "\"headers\":[\"Authorization: Bearer x\"]}");
    struct export_args args;
    struct err err;

    CHECK_NUMBER(0, export_parse(short_form, &args, &err));
    CHECK_TEXT("", args.url);
    CHECK_TEXT("raw", export_format_name(&args));
    CHECK_TEXT("none", export_compression_name(&args));
    CHECK_NUMBER(60, args.stall_seconds);
    CHECK_NUMBER(0, export_parse(long_form, &args, &err));
    CHECK_TEXT("delta", export_format_name(&args));
    CHECK_TEXT("zstd", export_compression_name(&args));
    CHECK_NUMBER(7, args.stall_seconds);
    CHECK_NUMBER(1, json_array_size(args.headers));
}

TEST(export_arguments_that_are_refused)
{
    static const struct {
        const char *rest;
        const char *words;
    } cases[] = {
        {"\"url\":\"http://h/x\"", "https"},
        {"\"url\":\"https://user@h/x\"", "url"},
        {"\"url\":\"https://h/x\",\"headers\":[\"Host: x\"]", "headers[0]"},
        {"\"url\":\"https://h/x\",\"headers\":[\"content-length: 1\"]", "headers[0]"},
        {"\"url\":\"https://h/x\",\"headers\":[\"a: b\",\"a:b\"]", "headers[1]"},
        {"\"url\":\"https://h/x\",\"headers\":[\"a: b\\r\\nc: d\"]", "headers[0]"},
        {"\"url\":\"https://h/x\",\"headers\":[7]", "headers[0]"},
        {"\"headers\":[\"a: b\"]", "no url"},
        {"\"format\":\"qcow2\"", "format"},
        {"\"compression\":\"xz\"", "xz"},
        {"\"stall_seconds\":0", "stall_seconds"},
        {"\"since\":\"" ID "\"", "itself"},
        {"\"since\":\"" OTHER "\",\"format\":\"vhd\"", "since"},
        {"\"other\":1", "other"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        CLEANUP_FREE char *text = xasprintf("{\"snapshot\":\"" ID "\",%s}", cases[i].rest);
        CLEANUP_JSON json_t *object = parse(text);
        struct export_args args;
        struct err err = {0};

        CHECK_NUMBER(-1, export_parse(object, &args, &err));
        CHECK(strstr(err.message, cases[i].words) != NULL);
    }
}

/* The runs as text: offset+length, `d` where there is data. */
static char *runs(const struct export_map *map, uint64_t limit)
{
    struct map_run run = {.offset = 0};
    char *text = xstrdup("");

    while (export_map_next(map, limit, &run)) {
        char *longer = xasprintf("%s%llu+%llu%s ", text, (unsigned long long)run.offset,
                                 (unsigned long long)run.length, run.data ? "d" : "");
        free(text);
        text = longer;
    }
    return text;
}

static void check_runs(const struct export_map *map, uint64_t limit, const char *wanted)
{
    CLEANUP_FREE char *text = runs(map, limit);

    CHECK_TEXT(wanted, text);
}

TEST(export_map_of_a_whole_volume)
{
    struct export_map map;

    export_map_whole(&map, 1000);
    check_runs(&map, UINT64_MAX, "0+1000d ");
    check_runs(&map, 400, "0+400d 400+400d 800+200d ");
    CHECK(export_map_has_data(&map, 999, 1));
    CHECK_NUMBER(1000, export_map_data_bytes(&map));
    export_map_close(&map);
}

TEST(export_map_of_what_holds_data)
{
    struct export_map map;

    export_map_open(&map, 1050, 100, false);
    check_runs(&map, UINT64_MAX, "0+1050 ");
    export_map_mark(&map, 2, true);
    export_map_mark(&map, 3, true);
    export_map_mark(&map, 10, true);
    export_map_mark(&map, 11, true); /* beyond the end */
    check_runs(&map, UINT64_MAX, "0+200 200+200d 400+600 1000+50d ");
    check_runs(&map, 100,
               "0+100 100+100 200+100d 300+100d 400+100 500+100 600+100 700+100 "
               "800+100 900+100 1000+50d ");
    CHECK(!export_map_has_data(&map, 0, 200));
    CHECK(export_map_has_data(&map, 0, 201));
    CHECK_NUMBER(250, export_map_data_bytes(&map));
    export_map_close(&map);
}

TEST(export_map_of_differences)
{
    struct export_map map;

    export_map_open(&map, 1000, 100, true);
    check_runs(&map, UINT64_MAX, "");
    export_map_mark(&map, 0, true);
    export_map_mark(&map, 1, false);
    export_map_mark(&map, 9, true);
    check_runs(&map, UINT64_MAX, "0+100d 100+100 900+100d ");
    CHECK_NUMBER(200, export_map_data_bytes(&map));
    export_map_close(&map);
}
