#include "net/http.h"

#include "base/err.h"
#include "base/memory.h"
#include "net/config.h"
#include "net/reply.h"
#include "net/tls.h"
#include "process/call.h"

#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 10000L
#define KEEPALIVE_SECONDS 30L

struct route {
    const char *method;
    const char *path; /* after the node's part */
    bool of_node;     /* beneath /v1/nodes/ID */
};

static const struct route routes[] = {
    [CALL_ENROLL] = {"POST", "/v1/enroll", false},
    [CALL_REGISTER] = {"PUT", "", true},
    [CALL_REQUESTS] = {"GET", "/requests", true},
    [CALL_EVENTS] = {"POST", "/events", true},
    [CALL_STATUS] = {"PUT", "/status", true},
    [CALL_CERTIFICATE] = {"POST", "/certificate", true},
};

static size_t receive(char *data, size_t size, size_t count, void *argument)
{
    struct http_exchange *exchange = argument;
    size_t length = size * count;
    if (length > REPLY_BODY_LIMIT - exchange->length) {
        exchange->too_long = true;
        return 0;
    }
    if (exchange->length + length + 1 > exchange->allocated) {
        exchange->allocated = 2 * (exchange->length + length) + 1024;
        exchange->answer = xrealloc(exchange->answer, exchange->allocated);
    }
    memcpy(exchange->answer + exchange->length, data, length);
    exchange->length += length;
    exchange->answer[exchange->length] = '\0';
    return length;
}

/* The cursor is the controller's, and may hold anything. */
static char *query_text(CURL *easy, const struct http_query *query)
{
    if (query->after[0] == '\0')
        return xasprintf("?wait=%u", query->wait_seconds);
    char *after = curl_easy_escape(easy, query->after, 0);
    char *text = xasprintf("?wait=%u&after=%s", query->wait_seconds, after ? after : "");
    curl_free(after);
    return text;
}

static void set_url(struct http_exchange *exchange, const struct net_config *config,
                    enum controller_call call, const struct http_query *query)
{
    const struct route *route = &routes[call];
    exchange->url =
        route->of_node ? xasprintf("%s/v1/nodes/%s%s", exchange->base, config->node_id, route->path)
                       : xasprintf("%s%s", exchange->base, route->path);
    CLEANUP_FREE char *with = call == CALL_REQUESTS ? query_text(exchange->easy, query) : NULL;
    CLEANUP_FREE char *whole = xasprintf("%s%s", exchange->url, with ? with : "");
    curl_easy_setopt(exchange->easy, CURLOPT_URL, whole);
}

static void set_options(struct http_exchange *exchange, const struct net_config *config,
                        const char *method, const char *body, long timeout_ms)
{
    CURL *easy = exchange->easy;
    connection_apply(easy, "https", &exchange->tls);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_SECONDS);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_SECONDS);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     timeout_ms < CONNECT_MS ? timeout_ms : CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, config->user_agent);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->headers);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->details);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    if (body) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

int http_open(struct http_exchange *exchange, const struct net_config *config, const char *base,
              enum controller_call call, const struct http_query *query, const char *body,
              long timeout_ms, struct err *err)
{
    *exchange = (struct http_exchange){.base = base, .timeout_ms = timeout_ms};
    if (net_config_trust(config, &exchange->tls, err) < 0)
        return -1;
    if (routes[call].of_node &&
        (config->node_id[0] == '\0' || !exchange->tls.certificate || !exchange->tls.key))
        return err_set(err, ERR_NOT_CONFIGURED, "the node is not enrolled yet");
    exchange->easy = curl_easy_init();
    if (!exchange->easy)
        return err_set(err, ERR_INTERNAL, "curl does not start");
    exchange->headers = curl_slist_append(NULL, "Accept: application/json");
    exchange->headers = curl_slist_append(exchange->headers, "Expect:");
    if (body)
        exchange->headers = curl_slist_append(exchange->headers, "Content-Type: application/json");
    set_options(exchange, config, routes[call].method, body, timeout_ms);
    set_url(exchange, config, call, query);
    return 0;
}

void http_close(struct http_exchange *exchange)
{
    curl_easy_cleanup(exchange->easy);
    curl_slist_free_all(exchange->headers);
    free(exchange->url);
    free(exchange->answer);
    *exchange = (struct http_exchange){0};
}

static int timed_out(const struct http_exchange *exchange, struct err *err)
{
    double begun = 0; /* also on a connection that was there */
    curl_easy_getinfo(exchange->easy, CURLINFO_PRETRANSFER_TIME, &begun);
    if (begun > 0)
        return err_set(err, ERR_CONTROLLER_UNREACHABLE, "%s: no answer within %ld s", exchange->url,
                       (exchange->timeout_ms + 999) / 1000);
    return err_set(err, ERR_CONTROLLER_UNREACHABLE, "%s: cannot connect in time (%s)",
                   exchange->url, exchange->details);
}

int http_failure(const struct http_exchange *exchange, CURLcode code, struct err *err)
{
    if (exchange->too_long)
        return err_set(err, ERR_CONTROLLER_UNREACHABLE, "%s: the answer is longer than %u bytes",
                       exchange->url, REPLY_BODY_LIMIT);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return timed_out(exchange, err);
    return tls_failure(exchange->easy, code, exchange->details, exchange->url, &exchange->tls, err);
}
