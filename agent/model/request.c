#include "model/request.h"

#include "base/err.h"
#include "base/json.h"
#include "base/text.h"

#include <string.h>

static const char *const operation_names[OP_COUNT] = {
#define X(name, row, text, scope) [OP_##name] = (text),
    OPERATIONS(X)
#undef X
};

static const enum request_scope scopes[OP_COUNT] = {
#define X(name, row, text, scope) [OP_##name] = (scope),
    OPERATIONS(X)
#undef X
};

const char *operation_name(enum operation operation)
{
    return (unsigned)operation < OP_COUNT ? operation_names[operation] : "unknown";
}

static int operation_parse(const char *text, enum operation *operation, struct err *err)
{
    for (unsigned i = 0; i < OP_COUNT; i++) {
        if (strcmp(operation_names[i], text) == 0) {
            *operation = (enum operation)i;
            return 0;
        }
    }
    return err_set(err, ERR_UNKNOWN_OPERATION, "op %s is not known to this node",
                   quoted(text).text);
}

static int check_slice(const struct request *request, struct err *err)
{
    const char *operation = operation_name(request->operation);
    enum request_scope scope = scopes[request->operation];

    if (scope == NAMES_SLICE && !request->slice[0])
        return err_set(err, ERR_INVALID_ARGUMENT, "%s needs a slice", operation);
    if (scope == NAMES_NO_SLICE && request->slice[0])
        return err_set(err, ERR_INVALID_ARGUMENT, "%s takes no slice", operation);
    return 0;
}

int request_parse(const json_t *object, struct request *request, struct err *err)
{
    struct fields fields;
    const json_t *args = NULL;
    const char *operation;

    *request = (struct request){.operation = OP_COUNT};
    if (fields_open(&fields, object, "", err) || field_uuid(&fields, "id", REQUIRED, request->id) ||
        field_string(&fields, "op", REQUIRED, 64, &operation) ||
        operation_parse(operation, &request->operation, err) ||
        field_uuid(&fields, "slice", OPTIONAL, request->slice) ||
        field_object(&fields, "args", OPTIONAL, &args) ||
        field_time(&fields, "deadline", OPTIONAL, &request->deadline_ms) || fields_end(&fields) ||
        check_slice(request, err))
        return -1;
    request->args = args ? json_deep_copy(args) : json_object();
    return 0;
}

void request_free(struct request *request)
{
    json_decref(request->args);
    request->args = NULL;
}
