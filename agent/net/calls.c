#include "net/calls.h"

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/config.h"
#include "net/http.h"
#include "net/key.h"
#include "net/reply.h"
#include "process/call.h"
#include "process/wire.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

/* The parent makes one of each kind. More are refused. */
#define CALLS_MAX 32
/* Twice the longest long poll. More ends this process, and the parent starts it again. */
#define TIMEOUT_LIMIT_MS 600000
#define POLL_MS 60000
/* Kept for later calls: the long poll's, and one for the others, which come one after the other
 * but for a busy moment. Else what such a moment has opened stays open until the controller
 * closes it. */
#define CONNECTIONS_KEPT 2L

/* A call under way. With more than one controller each gets its turn, beginning with the one that
 * answered last. */
struct call {
    struct call *next;
    int64_t id;
    enum controller_call call;
    struct http_query query;
    char *body;
    unsigned timeout_ms;
    unsigned first;   /* the controller tried first */
    unsigned attempt; /* how many were tried before this one */
    struct http_exchange exchange;
    struct err failures; /* of those */
};

struct net_session {
    struct wire *wire;
    CURLM *multi;
    struct net_config config;
    struct call *calls;
    unsigned call_count;
    unsigned preferred; /* index of the controller that answered last */
};

static int send_and_drop(struct net_session *session, json_t *message, struct err *err)
{
    int result = wire_send(session->wire, message, err);
    json_decref(message);
    return result;
}

static json_t *reply_message(int64_t id, const char *url, long status)
{
    json_t *message = json_pack("{s:s, s:I}", "type", "reply", "id", (json_int_t)id);
    if (url)
        json_object_set_new(message, "url", json_string(url));
    if (status > 0)
        json_object_set_new(message, "status", json_integer(status));
    return message;
}

static int send_failure(struct net_session *session, int64_t id, long status, bool retry,
                        curl_off_t retry_after, const struct err *failure, struct err *err)
{
    json_t *message = reply_message(id, NULL, status);
    json_object_set_new(message, "error",
                        json_pack("{s:s, s:o}", "code", err_code_name(failure->code), "message",
                                  json_clean_string(failure->message)));
    json_object_set_new(message, "retry", json_boolean(retry));
    if (retry_after > 0)
        json_object_set_new(message, "retry_after_seconds", json_integer(retry_after));
    return send_and_drop(session, message, err);
}

/* Takes the call out of the list and of curl's hands, and frees it. */
static void drop_call(struct net_session *session, struct call *call)
{
    struct call **at = &session->calls;
    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
    session->call_count--;
    if (call->exchange.easy)
        curl_multi_remove_handle(session->multi, call->exchange.easy);
    http_close(&call->exchange);
    free(call->body);
    free(call);
}

static int start_attempt(struct net_session *session, struct call *call, struct err *err)
{
    const struct net_config *config = &session->config;
    unsigned index = config->url_count > 0 ? (call->first + call->attempt) % config->url_count : 0;
    if (http_open(&call->exchange, config, config->urls[index], call->call, &call->query,
                  call->body, call->timeout_ms, err) < 0)
        return -1;
    curl_easy_setopt(call->exchange.easy, CURLOPT_PRIVATE, call);
    if (curl_multi_add_handle(session->multi, call->exchange.easy) != CURLM_OK)
        return err_set(err, ERR_INTERNAL, "curl does not take the call");
    return 0;
}

/* Ends the call with an error; what earlier controllers said goes before it. */
static int fail_call(struct net_session *session, struct call *call, long status, bool retry,
                     const struct err *failure, struct err *err)
{
    struct err all = *failure;
    curl_off_t retry_after = 0;
    if (call->failures.code != ERR_NONE)
        err_context(&all, "%s", call->failures.message);
    if (call->exchange.easy && status > 0)
        curl_easy_getinfo(call->exchange.easy, CURLINFO_RETRY_AFTER, &retry_after);
    int result = send_failure(session, call->id, status, retry, retry_after, &all, err);
    drop_call(session, call);
    return result;
}

/* A controller that does not answer, or says that it cannot work now: the next one gets its turn.
 * Returns 1 when there is none left. */
static int try_next(struct net_session *session, struct call *call, const struct err *failure,
                    struct err *err)
{
    if (call->attempt + 1 >= session->config.url_count)
        return 1;
    struct err earlier = call->failures, problem;
    call->failures = *failure;
    if (earlier.code != ERR_NONE)
        err_context(&call->failures, "%s", earlier.message);
    curl_multi_remove_handle(session->multi, call->exchange.easy);
    http_close(&call->exchange);
    call->attempt++;
    if (start_attempt(session, call, &problem) != 0)
        return fail_call(session, call, 0, true, &problem, err);
    return 0;
}

static bool is_overloaded(long status)
{
    return status == 502 || status == 503 || status == 504;
}

static int answered(struct net_session *session, struct call *call, struct err *err)
{
    struct http_exchange *exchange = &call->exchange;
    struct reply reply = {.body = exchange->answer ? exchange->answer : "",
                          .length = exchange->length};
    json_t *body = NULL;
    bool retry = true;
    struct err failure;
    curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &reply.status);
    curl_easy_getinfo(exchange->easy, CURLINFO_CONTENT_TYPE, &reply.content_type);
    if (reply_check(call->call, &reply, &body, &retry, &failure) != 0) {
        err_context(&failure, "%s", exchange->url);
        int left = is_overloaded(reply.status) ? try_next(session, call, &failure, err) : 1;
        return left == 1 ? fail_call(session, call, reply.status, retry, &failure, err) : left;
    }
    session->preferred = (call->first + call->attempt) % session->config.url_count;
    json_t *message = reply_message(call->id, exchange->base, reply.status);
    json_object_set_new(message, "body", body);
    int result = send_and_drop(session, message, err);
    drop_call(session, call);
    return result;
}

static int finish_transfers(struct net_session *session, struct err *err)
{
    CURLMsg *message;
    int left_in_queue;
    while ((message = curl_multi_info_read(session->multi, &left_in_queue))) {
        struct call *call = NULL;
        CURLcode code = message->data.result;
        struct err failure;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        int result = 0;
        if (code == CURLE_OK) {
            result = answered(session, call, err);
        } else {
            http_failure(&call->exchange, code, &failure);
            result = try_next(session, call, &failure, err);
            if (result == 1)
                result = fail_call(session, call, 0, true, &failure, err);
        }
        if (result != 0)
            return -1;
    }
    return 0;
}

static int read_query(struct fields *outer, struct http_query *query, struct err *err)
{
    struct fields fields;
    const json_t *object = NULL;
    if (field_object(outer, "query", OPTIONAL, &object) != 0)
        return -1;
    if (!object)
        return 0;
    if (fields_open(&fields, object, "query", err) < 0 ||
        field_text(&fields, "after", OPTIONAL, query->after, sizeof(query->after)) != 0 ||
        field_unsigned(&fields, "wait", OPTIONAL, 0, 3600, &query->wait_seconds) != 0)
        return -1;
    return fields_end(&fields);
}

static int read_call(struct call *call, const json_t *message, struct err *err)
{
    struct fields fields;
    const json_t *body = NULL;
    const char *type = NULL;
    char name[32] = "";
    if (fields_open(&fields, message, "", err) < 0 ||
        field_string(&fields, "type", REQUIRED, 16, &type) != 0 ||
        field_number(&fields, "id", REQUIRED, 0, INT64_MAX, &call->id) != 0 ||
        field_text(&fields, "call", REQUIRED, name, sizeof(name)) != 0 ||
        field_object(&fields, "body", OPTIONAL, &body) != 0 ||
        read_query(&fields, &call->query, err) < 0 ||
        field_unsigned(&fields, "timeout_ms", REQUIRED, 1, TIMEOUT_LIMIT_MS, &call->timeout_ms) !=
            0 ||
        fields_end(&fields) != 0)
        return err_context(err, "the agent's call message");
    call->call = controller_call_find(name);
    if (call->call == CALL_COUNT)
        return err_set(err, ERR_INTERNAL, "there is no call \"%s\"", name);
    if (body)
        call->body = json_dumps(body, JSON_COMPACT);
    return 0;
}

static int begin_call(struct net_session *session, const json_t *message, struct err *err)
{
    struct call *call = xcalloc(1, sizeof(*call));
    if (read_call(call, message, err) < 0) {
        free(call->body);
        free(call);
        return -1;
    }
    struct err failure;
    call->next = session->calls;
    session->calls = call;
    session->call_count++;
    call->first = session->preferred;
    if (session->call_count > CALLS_MAX) {
        err_set(&failure, ERR_INTERNAL, "more than %d calls at once", CALLS_MAX);
        return fail_call(session, call, 0, true, &failure, err);
    }
    if (start_attempt(session, call, &failure) != 0)
        return fail_call(session, call, 0, failure.code != ERR_NOT_CONFIGURED, &failure, err);
    return 0;
}

/* The exchanges under way hold texts of the old config, so they end with it. */
static int configure(struct net_session *session, const json_t *message, struct err *err)
{
    struct err problem;
    err_set(&problem, ERR_CANCELLED, "the configuration has changed");
    while (session->calls)
        if (fail_call(session, session->calls, 0, true, &problem, err) < 0)
            return -1;
    int64_t not_after = 0;
    json_t *reply = json_pack("{s:s, s:n}", "type", "configured", "not_after");
    session->preferred = 0;
    if (net_config_read(&session->config, message, &problem) != 0) {
        log_error("%s", problem.message);
        net_config_free(&session->config);
        json_object_set_new(reply, "error",
                            json_pack("{s:s, s:o}", "code", err_code_name(problem.code), "message",
                                      json_clean_string(problem.message)));
    } else if (session->config.certificate && session->config.key) {
        if (key_certificate_end(session->config.key, session->config.certificate, &not_after,
                                &problem) == 0)
            json_object_set_new(reply, "not_after", json_integer(not_after));
        else
            log_error("%s", problem.message);
    }
    return send_and_drop(session, reply, err);
}

static int send_key(struct net_session *session, const char *key, struct err *err)
{
    char request[KEY_PEM_BYTES];
    struct err problem;
    if (!key)
        err_set(&problem, ERR_NOT_CONFIGURED, "there is no key");
    if (!key || key_request(key, request, &problem) != 0)
        return send_and_drop(session,
                             json_pack("{s:s, s:{s:s, s:o}}", "type", "key", "error", "code",
                                       err_code_name(problem.code), "message",
                                       json_clean_string(problem.message)),
                             err);
    return send_and_drop(
        session, json_pack("{s:s, s:s, s:s}", "type", "key", "key", key, "csr", request), err);
}

static int make_key(struct net_session *session, struct err *err)
{
    char key[KEY_PEM_BYTES];
    struct err problem;
    if (key_make(key, &problem) != 0) {
        log_error("%s", problem.message);
        return send_key(session, NULL, err);
    }
    return send_key(session, key, err);
}

static int cancel(struct net_session *session, const json_t *message)
{
    json_int_t id = json_integer_value(json_object_get(message, "id"));
    for (struct call *call = session->calls; call; call = call->next)
        if (call->id == id) {
            drop_call(session, call);
            break;
        }
    return 0;
}

static int handle(struct net_session *session, const json_t *message, struct err *err)
{
    const char *type = json_string_value(json_object_get(message, "type"));
    if (!type)
        return err_set(err, ERR_INTERNAL, "a message of the agent has no type");
    if (strcmp(type, "config") == 0)
        return configure(session, message, err);
    if (strcmp(type, "keygen") == 0)
        return make_key(session, err);
    if (strcmp(type, "csr") == 0)
        return send_key(session, session->config.key, err);
    if (strcmp(type, "call") == 0)
        return begin_call(session, message, err);
    if (strcmp(type, "cancel") == 0)
        return cancel(session, message);
    return err_set(err, ERR_INTERNAL, "a message of the agent is of unknown type \"%s\"", type);
}

static int receive_messages(struct net_session *session, struct err *err)
{
    if (wire_fill(session->wire, err) < 0)
        return -1;
    json_t *message = NULL;
    int taken;
    while ((taken = wire_take(session->wire, &message, err)) == 1) {
        int result = handle(session, message, err);
        json_decref(message);
        if (result != 0)
            return -1;
    }
    return taken;
}

static int step(struct net_session *session, struct err *err)
{
    struct curl_waitfd wire = {.fd = session->wire->fd, .events = CURL_WAIT_POLLIN};
    int running = 0;
    if (curl_multi_poll(session->multi, &wire, 1, POLL_MS, NULL) != CURLM_OK)
        return err_set(err, ERR_INTERNAL, "curl cannot wait");
    if (wire.revents != 0 && receive_messages(session, err) < 0)
        return -1;
    if (curl_multi_perform(session->multi, &running) != CURLM_OK)
        return err_set(err, ERR_INTERNAL, "curl fails");
    return finish_transfers(session, err);
}

int net_session(struct wire *wire, struct err *err)
{
    struct net_session session = {.wire = wire, .multi = curl_multi_init()};
    if (!session.multi)
        return err_set(err, ERR_INTERNAL, "curl does not start");
    curl_multi_setopt(session.multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT);
    int result = 0;
    while (result == 0 && !wire->closed)
        result = step(&session, err);
    while (session.calls)
        drop_call(&session, session.calls);
    curl_multi_cleanup(session.multi);
    net_config_free(&session.config);
    return result;
}
