/* json: strict reading. */
#include "base/err.h"
#include "base/ident.h"
#include "base/json.h"
#include "base/memory.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *parse(const char *text)
{
    struct err err;
    json_t *object = NULL;

    if (json_object_parse(text, strlen(text), &object, &err) < 0)
        printf("%s: %s\n", text, err.message);
    return object;
}

TEST(json_parse_refuses)
{
    static const char *const bad[] = {"",
                                      "[]",
                                      "1",
                                      "{",
                                      "{\"a\":1,\"a\":2}",
                                      "{\"a\":\"\\u0000\"}",
                                      "{} {}",
                                      "{\"a\":1e999}",
                                      "{\"a\":\"\xff\"}",
                                      "{\"a\":NaN}",
                                      "{\"a\":99999999999999999999}"};
    json_t *object;
    struct err err;

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        if (!CHECK_NUMBER(-1, json_object_parse(bad[i], strlen(bad[i]), &object, &err)))
            puts(bad[i]);
        CHECK_NUMBER(ERR_INVALID_ARGUMENT, err.code);
    }
}

TEST(json_fields_of_every_type)
{
    static const char *const words[] = {"red", "green"};
    CLEANUP_JSON json_t *object =
        parse("{\"text\":\"abc\",\"number\":-5,\"unsigned\":7,\"size\":9007199254740993,"
              "\"flag\":true,\"choice\":\"green\",\"id\":\"00000000-0000-4000-8000-000000000001\","
              "\"time\":\"2026-01-02T03:04:05Z\",\"object\":{},\"array\":[1,2],\"null\":null}");
    const json_t *inner, *array, *absent;
    char text[4], id[UUID_TEXT_BYTES], unset[4] = "old";
    unsigned choice, number;
    struct fields fields;
    struct err err;
    int64_t signed_number, time;
    uint64_t size;
    bool flag;

    CHECK_NUMBER(0, fields_open(&fields, object, "", &err));
    CHECK_NUMBER(0, field_text(&fields, "text", REQUIRED, text, sizeof(text)));
    CHECK_NUMBER(0, field_number(&fields, "number", REQUIRED, -5, 5, &signed_number));
    CHECK_NUMBER(0, field_unsigned(&fields, "unsigned", REQUIRED, 7, 7, &number));
    CHECK_NUMBER(0, field_size(&fields, "size", REQUIRED, 1, INT64_MAX, &size));
    CHECK_NUMBER(0, field_flag(&fields, "flag", REQUIRED, &flag));
    CHECK_NUMBER(0, field_choice(&fields, "choice", REQUIRED, words, 2, &choice));
    CHECK_NUMBER(0, field_uuid(&fields, "id", REQUIRED, id));
    CHECK_NUMBER(0, field_time(&fields, "time", REQUIRED, &time));
    CHECK_NUMBER(0, field_object(&fields, "object", REQUIRED, &inner));
    CHECK_NUMBER(0, field_array(&fields, "array", REQUIRED, 2, &array));
    CHECK_NUMBER(0, field_text(&fields, "null", OPTIONAL, unset, sizeof(unset)));
    CHECK_NUMBER(0, field_object(&fields, "absent", OPTIONAL, &absent));
    CHECK_NUMBER(0, fields_end(&fields));
    CHECK_TEXT("abc", text);
    CHECK(signed_number == -5 && number == 7 && size == 9007199254740993 && flag && choice == 1);
    CHECK(time == 1767323045000 && json_array_size(array) == 2 && inner && !absent);
    CHECK_TEXT("00000000-0000-4000-8000-000000000001", id);
    CHECK_TEXT("old", unset);
}

enum wanted_type { TEXT, NUMBER, FLAG, CHOICE, UUID, TIME, OBJECT, ARRAY };

static int read_value(struct fields *fields, enum wanted_type type)
{
    static const char *const words[] = {"red", "green"};
    const json_t *value;
    char text[UUID_TEXT_BYTES];
    unsigned choice;
    int64_t number;
    bool flag;

    switch (type) {
    case TEXT:
        return field_text(fields, "v", REQUIRED, text, 4);
    case NUMBER:
        return field_number(fields, "v", REQUIRED, 1, 10, &number);
    case FLAG:
        return field_flag(fields, "v", REQUIRED, &flag);
    case CHOICE:
        return field_choice(fields, "v", REQUIRED, words, 2, &choice);
    case UUID:
        return field_uuid(fields, "v", REQUIRED, text);
    case TIME:
        return field_time(fields, "v", REQUIRED, &number);
    case OBJECT:
        return field_object(fields, "v", REQUIRED, &value);
    case ARRAY:
        return field_array(fields, "v", REQUIRED, 1, &value);
    }
    return 0;
}

TEST(json_messages_name_the_field)
{
    static const struct {
        const char *text;
        enum wanted_type type;
        const char *message;
    } cases[] = {
        {"{}", TEXT, "o.v is missing"},
        {"{\"v\":null}", NUMBER, "o.v is missing"},
        {"{\"v\":1}", TEXT, "o.v is a number, but must be a string"},
        {"{\"v\":\"\"}", TEXT, "o.v \"\" must not be empty"},
        {"{\"v\":\"abcd\"}", TEXT, "o.v \"abcd\" is 4 bytes long, but may have at most 3"},
        {"{\"v\":\"5\"}", NUMBER, "o.v is a string, but must be a whole number"},
        {"{\"v\":5.0}", NUMBER, "o.v is a number with a fraction, but must be a whole number"},
        {"{\"v\":true}", NUMBER, "o.v is true or false, but must be a whole number"},
        {"{\"v\":11}", NUMBER, "o.v is 11, but must be 1 to 10"},
        {"{\"v\":-9223372036854775808}", NUMBER, "o.v is -9223372036854775808, but must be"},
        {"{\"v\":1}", FLAG, "o.v is a number, but must be true or false"},
        {"{\"v\":\"blue\"}", CHOICE, "o.v \"blue\" must be one of: red green"},
        {"{\"v\":\"x\"}", UUID, "o.v \"x\" must be a UUID"},
        {"{\"v\":\"x\"}", TIME, "o.v \"x\" must be a time"},
        {"{\"v\":[]}", OBJECT, "o.v is an array, but must be an object"},
        {"{\"v\":{}}", ARRAY, "o.v is an object, but must be an array"},
        {"{\"v\":[1,2]}", ARRAY, "o.v has 2 elements, but may have at most 1"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        CLEANUP_JSON json_t *object = parse(cases[i].text);
        struct err err = {.message = ""};
        struct fields fields;

        CHECK_NUMBER(0, fields_open(&fields, object, "o", &err));
        CHECK_NUMBER(-1, read_value(&fields, cases[i].type));
        CHECK_HOLDS(cases[i].message, err.message);
        CHECK_NUMBER(ERR_INVALID_ARGUMENT, err.code);
    }
}

TEST(json_unknown_fields_are_refused)
{
    CLEANUP_JSON json_t *object = parse("{\"known\":true,\"colour\\n\":1}");
    struct fields fields;
    struct err err;
    bool flag;

    CHECK_NUMBER(0, fields_open(&fields, object, "", &err));
    CHECK_NUMBER(0, field_flag(&fields, "known", REQUIRED, &flag));
    CHECK_NUMBER(-1, fields_end(&fields));
    CHECK_NUMBER(ERR_UNKNOWN_FIELD, err.code);
    CHECK_TEXT("field \"colour?\" is not known", err.message);
    CHECK_NUMBER(0, fields_open(&fields, object, "network[2]", &err));
    CHECK_NUMBER(-1, fields_end(&fields));
    CHECK_HOLDS("network[2]: field \"", err.message);
    CHECK_NUMBER(-1, fields_open(&fields, NULL, "boot", &err));
    CHECK_TEXT("boot is missing, but must be an object", err.message);
    CHECK_NUMBER(-1, fields_open(&fields, NULL, "", NULL));
}

TEST(json_strings_from_any_bytes)
{
    CLEANUP_JSON json_t *plain = json_clean_string("a\n\xc3\xbc");
    CLEANUP_JSON json_t *odd = json_clean_string("a\xff\n");
    CLEANUP_JSON json_t *none = json_clean_string(NULL);
    CLEANUP_FREE char *text = json_text(none);

    CHECK_TEXT("a\n\xc3\xbc", json_string_value(plain));
    CHECK_TEXT("a??", json_string_value(odd));
    CHECK_TEXT("null", text);
}
