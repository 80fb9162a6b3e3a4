/* Reading JSON strictly: every field has a type and bounds, and a field that nobody asked for is
 * refused by name. Messages name the field by its path, such as `network[0].mac`.
 *
 *     struct fields fields;
 *     if (fields_open(&fields, object, "image", err) ||
 *         field_text(&fields, "name", REQUIRED, name, sizeof(name)) ||
 *         field_number(&fields, "size_bytes", OPTIONAL, 1, INT64_MAX, &size) ||
 *         fields_end(&fields))
 *         return -1;
 *
 * An optional field that is absent or null leaves the destination as it was. */
#ifndef SLICENODE_BASE_JSON_H
#define SLICENODE_BASE_JSON_H

#include "base/err.h"
#include "base/ident.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of one object of the protocol. What is asked for beyond would be refused as unknown, which the
 * tests would meet. */
#define FIELDS_MAX 32
/* Of a place in an object, for messages; the rest is cut. */
#define FIELD_PATH_BYTES 96

enum field_need { REQUIRED, OPTIONAL };

struct fields {
    const json_t *object;
    char path[FIELD_PATH_BYTES]; /* "" for the outermost object */
    struct err *err;
    const char *names[FIELDS_MAX]; /* asked for so far */
    unsigned count;
};

/* Drops a reference at the end of scope. */
void cleanup_json(json_t **value);
#define CLEANUP_JSON __attribute__((cleanup(cleanup_json)))

/* Parses one JSON object of `length` bytes; a key given twice is an error. New reference. */
int json_object_parse(const char *text, size_t length, json_t **object, struct err *err);

/* Compact text of a value, keys sorted; the caller frees it. */
char *json_text(const json_t *value);

/* A JSON string from any bytes: what JSON cannot hold is replaced by '?'. Null for NULL. */
json_t *json_clean_string(const char *text);

/* Begins to read an object; `path` is its name in messages, "" for the outermost one. */
int fields_open(struct fields *fields, const json_t *object, const char *path, struct err *err);

/* Refuses the first field that was not asked for, with unknown_field. */
int fields_end(struct fields *fields);

/* Any value: NULL when it is absent or null. */
const json_t *field_any(struct fields *fields, const char *name);

/* A string of at most size - 1 bytes; field_text refuses the empty one. */
int field_text(struct fields *fields, const char *name, enum field_need need, char *to,
               size_t size);
/* A string of at most `limit` bytes, which stays the object's; NULL when absent. */
int field_string(struct fields *fields, const char *name, enum field_need need, size_t limit,
                 const char **value);
int field_number(struct fields *fields, const char *name, enum field_need need, int64_t minimum,
                 int64_t maximum, int64_t *value);
int field_unsigned(struct fields *fields, const char *name, enum field_need need, unsigned minimum,
                   unsigned maximum, unsigned *value);
/* As field_number, for sizes and counters. */
int field_size(struct fields *fields, const char *name, enum field_need need, int64_t minimum,
               int64_t maximum, uint64_t *value);
int field_flag(struct fields *fields, const char *name, enum field_need need, bool *value);
/* One of `count` words; *index tells which. */
int field_choice(struct fields *fields, const char *name, enum field_need need,
                 const char *const *choices, unsigned count, unsigned *index);
int field_uuid(struct fields *fields, const char *name, enum field_need need,
               char to[static UUID_TEXT_BYTES]);
/* RFC 3339 with `Z`. */
int field_time(struct fields *fields, const char *name, enum field_need need,
               int64_t *wall_time_ms);
/* *value is NULL when absent. */
int field_object(struct fields *fields, const char *name, enum field_need need,
                 const json_t **value);
int field_array(struct fields *fields, const char *name, enum field_need need, size_t limit,
                const json_t **value);

/* Writes the path of a field, or with `index` >= 0 of an element of it, into `path`. */
void field_path(const struct fields *fields, const char *name, int index,
                char path[static FIELD_PATH_BYTES]);

/* Fills the error for a value that a caller's own check refuses: `FIELD "VALUE" WHAT`, for example
 * with "must be a host name". Returns -1. */
int field_refuse(const struct fields *fields, const char *name, int index, const char *value,
                 const char *what);

/* {code, message}, or JSON null when there is no error. */
json_t *err_to_json(const struct err *err);

/* The member's text; "" when it is not there or no text. */
const char *json_member_text(const json_t *object, const char *name);
/* JSON null for NULL and "". */
json_t *json_string_or_null(const char *text);

#endif
