#include "base/json.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/memory.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *allocate(size_t size)
{
    return xrealloc(NULL, size);
}

/* jansson answers NULL both when memory is out and when a value is refused; with our allocator only
 * the second is left. */
__attribute__((constructor)) static void use_our_allocator(void)
{
    json_set_alloc_funcs(allocate, free);
}

void cleanup_json(json_t **value)
{
    json_decref(*value);
}

int json_object_parse(const char *text, size_t length, json_t **object, struct err *err)
{
    json_error_t problem;
    json_t *value = json_loadb(text, length, JSON_REJECT_DUPLICATES, &problem);

    if (!value)
        return err_set(err, ERR_INVALID_ARGUMENT, "not JSON: line %d column %d: %s", problem.line,
                       problem.column, problem.text);
    if (!json_is_object(value)) {
        json_decref(value);
        return err_set(err, ERR_INVALID_ARGUMENT, "a JSON object is expected");
    }
    *object = value;
    return 0;
}

char *json_text(const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

    return text ? text : xstrdup("null");
}

json_t *json_clean_string(const char *text)
{
    CLEANUP_FREE char *clean = NULL;
    json_t *value;

    if (!text)
        return json_null();
    value = json_string(text);
    if (value)
        return value;
    clean = xstrdup(text);
    text_clean(clean);
    return json_string(clean);
}

static const char *type_name(const json_t *value)
{
    if (!value)
        return "missing";
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "a number";
    case JSON_REAL:
        return "a number with a fraction";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    case JSON_NULL:
        break;
    }
    return "null";
}

void field_path(const struct fields *fields, const char *name, int index,
                char path[static FIELD_PATH_BYTES])
{
    const char *dot = fields->path[0] ? "." : "";

    if (index >= 0)
        snprintf(path, FIELD_PATH_BYTES, "%s%s%.40s[%d]", fields->path, dot, name, index);
    else
        snprintf(path, FIELD_PATH_BYTES, "%s%s%.40s", fields->path, dot, name);
}

int field_refuse(const struct fields *fields, const char *name, int index, const char *value,
                 const char *what)
{
    char path[FIELD_PATH_BYTES];

    field_path(fields, name, index, path);
    return err_set(fields->err, ERR_INVALID_ARGUMENT, "%s %s %s", path, quoted(value).text, what);
}

static int wrong_type(const struct fields *fields, const char *name, const json_t *value,
                      const char *wanted)
{
    char path[FIELD_PATH_BYTES];

    field_path(fields, name, -1, path);
    return err_set(fields->err, ERR_INVALID_ARGUMENT, "%s is %s, but must be %s", path,
                   type_name(value), wanted);
}

int fields_open(struct fields *fields, const json_t *object, const char *path, struct err *err)
{
    *fields = (struct fields){.object = object, .err = err};
    snprintf(fields->path, sizeof(fields->path), "%s", path);
    if (!json_is_object(object))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s is %s, but must be an object",
                       path[0] ? path : "the message", type_name(object));
    return 0;
}

static bool asked_for(const struct fields *fields, const char *name)
{
    for (unsigned i = 0; i < fields->count; i++)
        if (strcmp(fields->names[i], name) == 0)
            return true;
    return false;
}

int fields_end(struct fields *fields)
{
    const char *name;
    json_t *value;

    /* The macro's iterator wants a pointer to non-const, but changes nothing. */
    json_object_foreach((json_t *)fields->object, name, value)
    {
        if (!asked_for(fields, name))
            return err_set(fields->err, ERR_UNKNOWN_FIELD, "%s%sfield %s is not known",
                           fields->path, fields->path[0] ? ": " : "", quoted(name).text);
    }
    return 0;
}

const json_t *field_any(struct fields *fields, const char *name)
{
    const json_t *value = json_object_get(fields->object, name);

    if (!asked_for(fields, name) && fields->count < FIELDS_MAX)
        fields->names[fields->count++] = name;
    return json_is_null(value) ? NULL : value;
}

/* 1 with the value, 0 when an optional field is absent, -1 when a required one is. */
static int field_get(struct fields *fields, const char *name, enum field_need need,
                     const json_t **value)
{
    char path[FIELD_PATH_BYTES];

    *value = field_any(fields, name);
    if (*value)
        return 1;
    if (need == OPTIONAL)
        return 0;
    field_path(fields, name, -1, path);
    return err_set(fields->err, ERR_INVALID_ARGUMENT, "%s is missing", path);
}

int field_string(struct fields *fields, const char *name, enum field_need need, size_t limit,
                 const char **value)
{
    const json_t *found;
    int result = field_get(fields, name, need, &found);
    char path[FIELD_PATH_BYTES];

    *value = NULL;
    if (result <= 0)
        return result;
    if (!json_is_string(found))
        return wrong_type(fields, name, found, "a string");
    if (json_string_length(found) > limit) {
        field_path(fields, name, -1, path);
        return err_set(fields->err, ERR_INVALID_ARGUMENT,
                       "%s %s is %zu bytes long, but may have at most %zu", path,
                       quoted(json_string_value(found)).text, json_string_length(found), limit);
    }
    *value = json_string_value(found);
    return 0;
}

int field_text(struct fields *fields, const char *name, enum field_need need, char *to, size_t size)
{
    const char *value;

    if (field_string(fields, name, need, size - 1, &value))
        return -1;
    if (!value)
        return 0;
    if (!value[0])
        return field_refuse(fields, name, -1, value, "must not be empty");
    copy_text(to, size, value);
    return 0;
}

int field_number(struct fields *fields, const char *name, enum field_need need, int64_t minimum,
                 int64_t maximum, int64_t *value)
{
    const json_t *found;
    int result = field_get(fields, name, need, &found);
    char path[FIELD_PATH_BYTES];
    int64_t number;

    if (result <= 0)
        return result;
    if (!json_is_integer(found))
        return wrong_type(fields, name, found, "a whole number");
    number = json_integer_value(found);
    if (number < minimum || number > maximum) {
        field_path(fields, name, -1, path);
        return err_set(fields->err, ERR_INVALID_ARGUMENT,
                       "%s is %" PRId64 ", but must be %" PRId64 " to %" PRId64, path, number,
                       minimum, maximum);
    }
    *value = number;
    return 0;
}

int field_unsigned(struct fields *fields, const char *name, enum field_need need, unsigned minimum,
                   unsigned maximum, unsigned *value)
{
    int64_t number = *value;

    if (field_number(fields, name, need, minimum, maximum, &number))
        return -1;
    *value = (unsigned)number;
    return 0;
}

int field_size(struct fields *fields, const char *name, enum field_need need, int64_t minimum,
               int64_t maximum, uint64_t *value)
{
    int64_t number = (int64_t)*value;

    if (field_number(fields, name, need, minimum, maximum, &number))
        return -1;
    *value = (uint64_t)number;
    return 0;
}

int field_flag(struct fields *fields, const char *name, enum field_need need, bool *value)
{
    const json_t *found;
    int result = field_get(fields, name, need, &found);

    if (result <= 0)
        return result;
    if (!json_is_boolean(found))
        return wrong_type(fields, name, found, "true or false");
    *value = json_is_true(found);
    return 0;
}

int field_choice(struct fields *fields, const char *name, enum field_need need,
                 const char *const *choices, unsigned count, unsigned *index)
{
    char what[256] = "must be one of:";
    const char *value;

    if (field_string(fields, name, need, 64, &value))
        return -1;
    if (!value)
        return 0;
    for (unsigned i = 0; i < count; i++) {
        size_t used = strlen(what);
        if (strcmp(value, choices[i]) == 0) {
            *index = i;
            return 0;
        }
        snprintf(what + used, sizeof(what) - used, " %s", choices[i]);
    }
    return field_refuse(fields, name, -1, value, what);
}

int field_uuid(struct fields *fields, const char *name, enum field_need need,
               char to[static UUID_TEXT_BYTES])
{
    const char *value;

    if (field_string(fields, name, need, UUID_TEXT_BYTES + 64, &value))
        return -1;
    if (!value)
        return 0;
    if (!uuid_valid(value))
        return field_refuse(fields, name, -1, value, "must be a UUID in lower case");
    copy_text(to, UUID_TEXT_BYTES, value);
    return 0;
}

int field_time(struct fields *fields, const char *name, enum field_need need, int64_t *wall_time_ms)
{
    const char *value;

    if (field_string(fields, name, need, 64, &value))
        return -1;
    if (value && time_parse(value, wall_time_ms) < 0)
        return field_refuse(fields, name, -1, value, "must be a time such as 2026-01-02T03:04:05Z");
    return 0;
}

int field_object(struct fields *fields, const char *name, enum field_need need,
                 const json_t **value)
{
    int result = field_get(fields, name, need, value);

    if (result <= 0)
        return result;
    return json_is_object(*value) ? 0 : wrong_type(fields, name, *value, "an object");
}

int field_array(struct fields *fields, const char *name, enum field_need need, size_t limit,
                const json_t **value)
{
    int result = field_get(fields, name, need, value);
    char path[FIELD_PATH_BYTES];

    if (result <= 0)
        return result;
    if (!json_is_array(*value))
        return wrong_type(fields, name, *value, "an array");
    if (json_array_size(*value) > limit) {
        field_path(fields, name, -1, path);
        return err_set(fields->err, ERR_INVALID_ARGUMENT,
                       "%s has %zu elements, but may have at most %zu", path,
                       json_array_size(*value), limit);
    }
    return 0;
}

json_t *err_to_json(const struct err *err)
{
    const char *code;

    if (!err || err->code == ERR_NONE)
        return json_null();
    code = err_code_name(err->code);
    return json_pack("{s:s, s:o}", "code", code, "message",
                     json_clean_string(err->message[0] ? err->message : code));
}

const char *json_member_text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

json_t *json_string_or_null(const char *text)
{
    return text && text[0] ? json_string(text) : json_null();
}
