#include "net/reply.h"

#include "base/err.h"
#include "base/ident.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "process/call.h"

#include <string.h>
#include <strings.h>

/* The protocol's. A longer one makes the answer malformed, which is told. */
#define CURSOR_LIMIT 64
/* The protocol's maxItems; a controller with more gives them at the next polls. A longer list
 * makes the answer malformed, which is told. */
#define REQUESTS_LIMIT 1024
/* As in openapi.json, and EVENT_SEQ_ACKNOWLEDGED_MAX of the store. */
#define ACKNOWLEDGED_MAX (INT64_C(1) << 52)
/* Half of what an error of ours holds (base/err.h); the rest is cut. */
#define ERROR_TEXT_LIMIT 512
/* A day. A longer one makes the answer malformed, which is told. */
#define SECONDS_LIMIT 86400

/* Text of the sort that PEM is, and nothing that a file or a terminal could mind. */
static int pem_field(struct fields *fields, const char *name, json_t *to)
{
    const char *text = NULL;
    if (field_string(fields, name, REQUIRED, PEM_LIMIT, &text) != 0)
        return -1;
    bool plain = strstr(text, "-----BEGIN CERTIFICATE-----");
    for (const char *at = text; *at != '\0' && plain; at++)
        plain = (*at >= ' ' && *at <= '~') || *at == '\n' || *at == '\r' || *at == '\t';
    if (!plain)
        return err_set(fields->err, ERR_INVALID_ARGUMENT, "%s is not a PEM certificate", name);
    return json_object_set_new(to, name, json_string(text));
}

static int number_field(struct fields *fields, const char *name, int64_t minimum, int64_t maximum,
                        json_t *to)
{
    int64_t value = 0;
    if (field_number(fields, name, REQUIRED, minimum, maximum, &value) != 0)
        return -1;
    return json_object_set_new(to, name, json_integer(value));
}

static int check_enroll(struct fields *fields, json_t *to)
{
    char node_id[UUID_TEXT_BYTES];
    if (field_uuid(fields, "node_id", REQUIRED, node_id) != 0 ||
        pem_field(fields, "certificate", to) != 0 || pem_field(fields, "ca", to) != 0)
        return -1;
    return json_object_set_new(to, "node_id", json_string(node_id));
}

static int check_waiting(struct fields *fields, json_t *to)
{
    return number_field(fields, "retry_after_seconds", 0, SECONDS_LIMIT, to);
}

static int check_register(struct fields *fields, json_t *to)
{
    if (number_field(fields, "heartbeat_seconds", 1, SECONDS_LIMIT, to) != 0 ||
        number_field(fields, "poll_wait_seconds", 0, SECONDS_LIMIT, to) != 0)
        return -1;
    return number_field(fields, "acknowledged", 0, ACKNOWLEDGED_MAX, to);
}

static int check_part(struct fields *fields, json_t *to)
{
    return number_field(fields, "received", 1, INT32_MAX, to);
}

static int check_acknowledged(struct fields *fields, json_t *to)
{
    return number_field(fields, "acknowledged", 0, ACKNOWLEDGED_MAX, to);
}

static int check_status(struct fields *fields, json_t *to)
{
    (void)fields;
    (void)to;
    return 0;
}

static int check_certificate(struct fields *fields, json_t *to)
{
    return pem_field(fields, "certificate", to);
}

/* A request needs an id, so that the agent can say what is wrong with the rest of it; that is the
 * agent's to check. */
static int add_request(const json_t *request, json_t *list)
{
    static const char *const names[] = {"id", "op", "slice", "args", "deadline"};
    const char *id = json_string_value(json_object_get(request, "id"));
    if (!id || !uuid_valid(id))
        return -1;
    json_t *copy = json_object();
    for (size_t index = 0; index < ARRAY_LENGTH(names); index++) {
        json_t *value = json_object_get(request, names[index]);
        if (value)
            json_object_set(copy, names[index], value);
    }
    return json_array_append_new(list, copy);
}

static int check_requests(struct fields *fields, json_t *to)
{
    char cursor[CURSOR_LIMIT + 1] = "";
    const json_t *requests = NULL;
    if (field_text(fields, "cursor", REQUIRED, cursor, sizeof(cursor)) != 0 ||
        field_array(fields, "requests", REQUIRED, REQUESTS_LIMIT, &requests) != 0)
        return -1;
    json_t *list = json_array();
    json_object_set_new(to, "requests", list);
    for (size_t index = 0; index < json_array_size(requests); index++)
        if (add_request(json_array_get(requests, index), list) != 0)
            log_warning("the controller's requests[%zu] has no id and is left out", index);
    return json_object_set_new(to, "cursor", json_string(cursor));
}

typedef int check_function(struct fields *fields, json_t *to);

static check_function *const checks[] = {
    [CALL_ENROLL] = check_enroll,     [CALL_REGISTER] = check_register,
    [CALL_REQUESTS] = check_requests, [CALL_EVENTS] = check_acknowledged,
    [CALL_STATUS] = check_status,     [CALL_CERTIFICATE] = check_certificate,
};

static bool is_json(const char *content_type)
{
    static const char wanted[] = "application/json";
    size_t length = sizeof(wanted) - 1;
    return content_type != NULL && strncasecmp(content_type, wanted, length) == 0 &&
           (content_type[length] == '\0' || content_type[length] == ';' ||
            content_type[length] == ' ');
}

static int success(enum controller_call call, const struct reply *reply, json_t **body,
                   struct err *err)
{
    CLEANUP_JSON json_t *object = NULL;
    struct fields fields;
    if (!is_json(reply->content_type))
        return err_set(err, ERR_CONTROLLER_UNREACHABLE,
                       "the answer is %.64s, not application/json: no Slicenode controller?",
                       reply->content_type ? reply->content_type : "of no named type");
    if (json_object_parse(reply->body, reply->length, &object, err) < 0 ||
        fields_open(&fields, object, "", err) < 0)
        return err_context(err, "malformed answer");
    check_function *of_202 = call == CALL_REGISTER ? check_part : check_waiting;
    json_t *checked = json_object();
    if ((reply->status == 202 ? of_202 : checks[call])(&fields, checked) != 0) {
        json_decref(checked);
        return err_context(err, "malformed answer");
    }
    *body = checked;
    return 0;
}

/* Printable text of a bounded length from whatever the controller sent. */
static void plain_text(const char *from, char *to, size_t size)
{
    size_t length = 0;
    for (; *from != '\0' && length + 1 < size; from++)
        to[length++] = (unsigned char)*from < ' ' || *from == 0x7f ? ' ' : *from;
    to[length] = '\0';
}

static enum err_code code_of_status(long status)
{
    return status >= 500 ? ERR_CONTROLLER_UNREACHABLE : ERR_INVALID_ARGUMENT;
}

static int failure(const struct reply *reply, struct err *err)
{
    struct err ignored;
    CLEANUP_JSON json_t *object = NULL;
    char message[ERROR_TEXT_LIMIT], code[64];
    if (is_json(reply->content_type))
        json_object_parse(reply->body, reply->length, &object, &ignored);
    const json_t *error = json_object_get(object, "error");
    const char *code_text = json_string_value(json_object_get(error, "code"));
    const char *text = json_string_value(json_object_get(error, "message"));
    if (!code_text || !text)
        return err_set(err, code_of_status(reply->status),
                       "the server answers with HTTP status %ld and no reason", reply->status);
    plain_text(code_text, code, sizeof(code));
    plain_text(text, message, sizeof(message));
    enum err_code known = err_code_from_name(code);
    if (known == ERR_INTERNAL && strcmp(code, "internal") != 0)
        return err_set(err, code_of_status(reply->status), "the controller says: %s: %s", code,
                       message);
    return err_set(err, known, "the controller says: %s", message);
}

int reply_check(enum controller_call call, const struct reply *reply, json_t **body, bool *retry,
                struct err *err)
{
    long status = reply->status;
    *body = NULL;
    *retry = true; /* whoever runs the controller may repair it */
    if (status == 200 || (status == 202 && (call == CALL_ENROLL || call == CALL_REGISTER)))
        return success(call, reply, body, err);
    if (status >= 300 && status < 400)
        return err_set(err, ERR_CONTROLLER_UNREACHABLE,
                       "the server redirects (HTTP status %ld), which is not followed: name the "
                       "controller itself",
                       status);
    if (status < 400)
        return err_set(err, ERR_CONTROLLER_UNREACHABLE, "the server answers with HTTP status %ld",
                       status);
    *retry = status >= 500 || status == 408 || status == 409 || status == 429;
    return failure(reply, err);
}
