/* json.c: text in, fields out, text again. */
#include "base/err.h"
#include "base/ident.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "fuzz.h"

#include <string.h>

static void read_fields(const json_t *object)
{
    static const char *const choices[] = {"one", "two"};
    struct fields fields;
    struct err err = {.code = ERR_NONE};
    char text[16] = "", uuid[UUID_TEXT_BYTES] = "";
    const char *string = NULL;
    const json_t *array = NULL, *inner = NULL;
    int64_t number = 5;
    uint64_t size = 5;
    unsigned small = 5, choice = 1;
    bool flag = false;

    if (fields_open(&fields, object, "o", &err) == 0 &&
        field_text(&fields, "text", OPTIONAL, text, sizeof(text)) == 0 &&
        field_string(&fields, "string", OPTIONAL, 8, &string) == 0 &&
        field_uuid(&fields, "uuid", OPTIONAL, uuid) == 0 &&
        field_number(&fields, "number", OPTIONAL, -5, 5, &number) == 0 &&
        field_size(&fields, "size", OPTIONAL, 1, 1 << 20, &size) == 0 &&
        field_unsigned(&fields, "small", OPTIONAL, 2, 9, &small) == 0 &&
        field_choice(&fields, "choice", OPTIONAL, choices, 2, &choice) == 0 &&
        field_flag(&fields, "flag", OPTIONAL, &flag) == 0 &&
        field_array(&fields, "array", OPTIONAL, 3, &array) == 0 &&
        field_object(&fields, "inner", OPTIONAL, &inner) == 0 && fields_end(&fields) == 0) {
        REQUIRE(number >= -5 && number <= 5 && size >= 1 && size <= 1 << 20);
        REQUIRE(small >= 2 && small <= 9 && choice < 2);
        REQUIRE(strlen(text) < sizeof(text) && (string == NULL || strlen(string) <= 8));
        REQUIRE(uuid[0] == '\0' || uuid_valid(uuid));
        REQUIRE(json_array_size(array) <= 3);
        if (inner != NULL)
            read_fields(inner);
        return;
    }
    REQUIRE(err.code != ERR_NONE && text_valid(err.message));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_JSON json_t *object = NULL;
    CLEANUP_JSON json_t *again = NULL;
    struct err err = {.code = ERR_NONE};
    char *bytes = xcalloc(size + 1, 1);

    memcpy(bytes, data, size);
    json_t *clean = json_clean_string(bytes);
    REQUIRE(json_is_string(clean));
    json_decref(clean);
    if (json_object_parse(bytes, size, &object, &err) == 0) {
        CLEANUP_FREE char *text = json_text(object);
        REQUIRE(json_object_parse(text, strlen(text), &again, &err) == 0);
        REQUIRE(json_equal(object, again));
        read_fields(object);
    } else {
        REQUIRE(err.code != ERR_NONE && text_valid(err.message));
    }
    free(bytes);
    return 0;
}
