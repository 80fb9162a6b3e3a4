/* One HTTPS exchange with a controller: a JSON body out, a bounded answer back. */
#ifndef SLICENODE_NET_HTTP_H
#define SLICENODE_NET_HTTP_H

#include "base/err.h"
#include "net/config.h"
#include "net/tls.h"
#include "process/call.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

struct http_query { /* of CALL_REQUESTS */
    char after[65]; /* "": from the beginning */
    unsigned wait_seconds;
};

struct http_exchange {
    CURL *easy;
    struct curl_slist *headers;
    const char *base; /* the controller's URL, the config's */
    char *url;        /* of the call, without its query: for messages */
    char *answer;
    size_t length;
    size_t allocated;
    bool too_long;
    struct tls tls;
    long timeout_ms;
    char details[CURL_ERROR_SIZE];
};

/* Makes exchange->easy ready for curl_multi_add_handle. `config` and `body` (JSON text or NULL)
 * must stay until http_close; `base` is one of the config's URLs. */
int http_open(struct http_exchange *exchange, const struct net_config *config, const char *base,
              enum controller_call call, const struct http_query *query, const char *body,
              long timeout_ms, struct err *err);
void http_close(struct http_exchange *exchange);

/* Says why a transfer that curl ended with `code` failed. */
int http_failure(const struct http_exchange *exchange, CURLcode code, struct err *err);

#endif
