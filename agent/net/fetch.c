#include "net/fetch.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/download.h"
#include "net/tls.h"
#include "net/url.h"
#include "process/wire.h"

#include <curl/curl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_MESSAGE_MS 30000
/* As model/image.h has it. */
#define URL_LIMIT 2047
/* Received at a time. Ten times as much is no faster. */
#define BUFFER_BYTES (256L << 10)
#define CONNECT_MS 15000L
#define STALL_MS 60000
#define PROGRESS_MS 1000
/* Image servers make one or two. More are refused, and told. */
#define REDIRECTS_MAX 5
/* Without progress between them. At ten times as many a request would hang for half an hour. */
#define ATTEMPTS_MAX 5
#define FIRST_PAUSE_MS 500
#define USER_AGENT "slicenode"

struct fetch {
    struct wire *wire;
    char *url;     /* where the image is now, after redirects */
    char *display; /* the URL as messages show it */
    char *trusted; /* PEM; NULL when there is none */
    struct download download;
    struct answer answer;
    CURL *easy;
    char details[CURL_ERROR_SIZE];
    bool accepted;      /* this attempt's answer */
    bool stalled;       /* this attempt was ended for silence */
    struct err failure; /* set by a callback that ended the attempt */
    uint64_t active_ms; /* when something last moved */
    uint64_t told_ms;   /* when progress was last sent */
};

static int set_url(struct fetch *fetch, const char *url, struct err *err)
{
    if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "%.64s: an image comes by http or https", url);
    char *copy = xstrdup(url); /* it may be curl's */
    free(fetch->url);
    free(fetch->display);
    fetch->url = copy;
    fetch->display = net_url_display(copy);
    return 0;
}

static int read_message(struct fetch *fetch, const json_t *message, struct err *err)
{
    struct fields fields;
    const char *url = NULL, *ca = NULL, *type = NULL;
    if (fields_open(&fields, message, "", err) < 0 ||
        field_string(&fields, "type", REQUIRED, 16, &type) != 0 ||
        field_string(&fields, "url", REQUIRED, URL_LIMIT, &url) != 0 ||
        field_string(&fields, "ca", OPTIONAL, NET_CA_LIMIT, &ca) != 0 ||
        field_size(&fields, "transfer_bytes", OPTIONAL, 1, INT64_MAX,
                   &fetch->download.expected_bytes) != 0 ||
        field_size(&fields, "limit_bytes", REQUIRED, 1, INT64_MAX, &fetch->download.limit_bytes) !=
            0 ||
        fields_end(&fields) != 0)
        return err_context(err, "the agent's fetch message");
    if (strcmp(type, "fetch") != 0)
        return err_set(err, ERR_INTERNAL, "the agent's first message is \"%s\"", type);
    fetch->trusted = net_trusted_certificates(ca);
    return set_url(fetch, url, err);
}

static int tell_fetch(struct fetch *fetch, uint64_t now)
{
    struct err ignored;
    json_t *message =
        json_pack("{s:s, s:I}", "type", "progress", "bytes", (json_int_t)fetch->download.delivered);
    json_object_set_new(message, "total",
                        fetch->download.total >= 0 ? json_integer(fetch->download.total)
                                                   : json_null());
    fetch->told_ms = now;
    int result = wire_send(fetch->wire, message, &ignored);
    json_decref(message);
    return result;
}

/* Called often, at least once a second. Another value than 0 ends the attempt. */
static int progress(void *argument, curl_off_t total, curl_off_t now, curl_off_t upload_total,
                    curl_off_t upload_now)
{
    struct fetch *fetch = argument;
    uint64_t time = monotonic_ms();
    (void)total, (void)now, (void)upload_total, (void)upload_now;
    if (time >= fetch->told_ms + PROGRESS_MS && tell_fetch(fetch, time) != 0)
        return err_set(&fetch->failure, ERR_CANCELLED, "the agent ended the transfer");
    fetch->stalled = time >= fetch->active_ms + STALL_MS;
    return fetch->stalled;
}

static size_t take_header(char *line, size_t size, size_t count, void *argument)
{
    struct fetch *fetch = argument;
    size_t length = size * count;
    fetch->active_ms = monotonic_ms();
    if (length >= 5 && memcmp(line, "HTTP/", 5) == 0)
        answer_reset(&fetch->answer);
    else
        answer_header(&fetch->answer, line, length);
    return length;
}

/* Error pages are read and dropped. */
static size_t take_body(char *data, size_t size, size_t count, void *argument)
{
    struct fetch *fetch = argument;
    size_t length = size * count;
    if (!fetch->accepted) {
        curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &fetch->answer.status);
        if (fetch->answer.status != 200 && fetch->answer.status != 206)
            return length;
        if (download_accept(&fetch->download, &fetch->answer, &fetch->failure) != 0)
            return 0;
        fetch->accepted = true;
    }
    if (download_write(&fetch->download, data, length, &fetch->failure) != 0)
        return 0;
    fetch->active_ms = monotonic_ms(); /* after a write that may have waited for the disk */
    return length;
}

static void set_options(struct fetch *fetch, const struct tls *tls, struct curl_slist *headers)
{
    CURL *easy = fetch->easy;
    curl_easy_setopt(easy, CURLOPT_URL, fetch->url);
    connection_apply(easy, "http,https", tls);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, USER_AGENT);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch->details);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, fetch);
}

static struct curl_slist *range_headers(const struct download *download)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Accept-Encoding: identity");
    const char *validator = download_if_range(download);
    if (download->delivered == 0)
        return headers;
    CLEANUP_FREE char *range =
        xasprintf("Range: bytes=%llu-", (unsigned long long)download->delivered);
    headers = curl_slist_append(headers, range);
    if (validator) {
        CLEANUP_FREE char *condition = xasprintf("If-Range: %s", validator);
        headers = curl_slist_append(headers, condition);
    }
    return headers;
}

/* What came of an attempt. */
enum outcome { OUTCOME_WHOLE, OUTCOME_REDIRECTED, OUTCOME_BROKEN, OUTCOME_FAILED };

static enum outcome redirected(struct fetch *fetch, struct err *err)
{
    char *target = NULL;
    curl_easy_getinfo(fetch->easy, CURLINFO_REDIRECT_URL, &target);
    if (!target) {
        err_set(err, ERR_IMAGE_UNAVAILABLE, "%s: HTTP status %ld without a new place",
                fetch->display, fetch->answer.status);
        return OUTCOME_FAILED;
    }
    if (strncmp(fetch->url, "https://", 8) == 0 && strncmp(target, "https://", 8) != 0) {
        err_set(err, ERR_IMAGE_UNAVAILABLE,
                "%s: redirects from https to something else, which is "
                "not followed",
                fetch->display);
        return OUTCOME_FAILED;
    }
    return set_url(fetch, target, err) == 0 ? OUTCOME_REDIRECTED : OUTCOME_FAILED;
}

static enum outcome judge_status(struct fetch *fetch, struct err *err)
{
    long status = 0;
    curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
    fetch->answer.status = status;
    if (status == 200 || status == 206) {
        /* An empty body leaves no chance to accept it. */
        if ((!fetch->accepted && download_accept(&fetch->download, &fetch->answer, err) < 0) ||
            download_finish(&fetch->download, err) < 0) {
            err_context(err, "%s", fetch->display);
            return OUTCOME_FAILED;
        }
        return OUTCOME_WHOLE;
    }
    if (status >= 300 && status < 400)
        return redirected(fetch, err);
    err_set(err, ERR_IMAGE_UNAVAILABLE, "%s: HTTP status %ld%s", fetch->display, status,
            status == 404   ? " (not found)"
            : status == 403 ? " (forbidden)"
            : status == 416 ? " (the file has become shorter)"
                            : "");
    return status >= 500 || status == 408 || status == 429 ? OUTCOME_BROKEN : OUTCOME_FAILED;
}

static bool is_final(CURLcode code)
{
    return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CERTPROBLEM ||
           code == CURLE_SSL_CACERT_BADFILE || code == CURLE_URL_MALFORMAT ||
           code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_OUT_OF_MEMORY;
}

static enum outcome judge_fetch(struct fetch *fetch, CURLcode code, const struct tls *tls,
                                struct err *err)
{
    if (code == CURLE_OK)
        return judge_status(fetch, err);
    if (fetch->failure.code != ERR_NONE) {
        *err = fetch->failure;
        err_context(err, "%s", fetch->display);
        return OUTCOME_FAILED;
    }
    if (fetch->stalled)
        err_set(err, ERR_IMAGE_UNAVAILABLE, "%s: nothing came for %d s", fetch->display,
                STALL_MS / 1000);
    else
        tls_failure(fetch->easy, code, fetch->details, fetch->display, tls, err);
    err->code = ERR_IMAGE_UNAVAILABLE;
    return is_final(code) ? OUTCOME_FAILED : OUTCOME_BROKEN;
}

static enum outcome attempt(struct fetch *fetch, struct err *err)
{
    struct tls tls = {.ca = fetch->trusted ? fetch->trusted : ""};
    struct curl_slist *headers = range_headers(&fetch->download);
    curl_easy_reset(fetch->easy); /* keeps the connection */
    fetch->accepted = fetch->stalled = false;
    fetch->failure = (struct err){0};
    fetch->details[0] = '\0';
    fetch->active_ms = monotonic_ms();
    answer_reset(&fetch->answer);
    set_options(fetch, &tls, headers);
    CURLcode code = curl_easy_perform(fetch->easy);
    enum outcome outcome = judge_fetch(fetch, code, &tls, err);
    curl_slist_free_all(headers);
    return outcome;
}

/* Half to all of a pause that doubles each time, so that many nodes do not come back at once. */
static void pause_before_retry(unsigned failures)
{
    unsigned char random;
    random_bytes(&random, sizeof(random));
    int pause = FIRST_PAUSE_MS << failures;
    poll(NULL, 0, pause / 2 + pause * random / 512);
}

static int download(struct fetch *fetch, struct err *err)
{
    unsigned failures = 0, redirects = 0;
    for (;;) {
        uint64_t before = fetch->download.delivered;
        switch (attempt(fetch, err)) {
        case OUTCOME_WHOLE:
            return 0;
        case OUTCOME_FAILED:
            return -1;
        case OUTCOME_REDIRECTED:
            if (++redirects > REDIRECTS_MAX)
                return err_set(err, ERR_IMAGE_UNAVAILABLE, "%s: too many redirects",
                               fetch->display);
            break;
        case OUTCOME_BROKEN:
            if (fetch->download.delivered > before)
                failures = 0;
            if (failures + 1 >= ATTEMPTS_MAX)
                return err_context(err, "given up after %d attempts", ATTEMPTS_MAX);
            log_info("%s: going on from byte %llu", err->message,
                     (unsigned long long)fetch->download.delivered);
            pause_before_retry(failures++);
            break;
        }
    }
}

static int report_fetch(struct fetch *fetch, int result, const struct err *failure, struct err *err)
{
    json_t *message;
    if (result == 0)
        message =
            json_pack("{s:s, s:I}", "type", "done", "bytes", (json_int_t)fetch->download.delivered);
    else
        message = wire_failure(failure);
    int sent = wire_send(fetch->wire, message, err);
    json_decref(message);
    return sent;
}

int net_fetch(struct wire *wire, int output, struct err *err)
{
    struct fetch fetch = {.wire = wire, .download = {.output = output, .total = -1}};
    struct err ignored;
    json_t *message = NULL;
    int received = wire_receive(wire, FIRST_MESSAGE_MS, &message, err);
    if (received <= 0)
        return received;
    int result = read_message(&fetch, message, err);
    json_decref(message);
    fetch.easy = curl_easy_init();
    if (result == 0)
        result =
            fetch.easy ? download(&fetch, err) : err_set(err, ERR_INTERNAL, "curl does not start");
    if (report_fetch(&fetch, result, err, &ignored) != 0)
        log_warning("%s", ignored.message);
    curl_easy_cleanup(fetch.easy);
    free(fetch.url);
    free(fetch.display);
    free(fetch.trusted);
    return result;
}
