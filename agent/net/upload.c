#include "net/upload.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "net/tls.h"
#include "net/url.h"
#include "process/wire.h"

#include <curl/curl.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_MESSAGE_MS 30000
#define END_MESSAGE_MS 30000
/* As model/image.h has it. */
#define URL_LIMIT 2047
/* As model/export.h has it. */
#define HEADERS_MAX 16
/* Name and value, as model/export.c has them, twice. A longer one is refused. */
#define HEADER_LIMIT 8192
/* Sent at a time. Ten times as much is no faster. */
#define BUFFER_BYTES (256L << 10)
#define CONNECT_MS 15000L
#define PROGRESS_MS 1000
/* Of a server's refusal, in our message; the rest is cut. */
#define ANSWER_SHOWN 160
#define USER_AGENT "slicenode"
#define SOCKETS_MAX 8 /* one for each address that is tried */

struct upload {
    struct wire *wire;
    int input;
    char *url;
    char *display; /* the URL as messages show it */
    char *trusted; /* PEM; NULL when there is none */
    struct curl_slist *headers;
    uint64_t length; /* announced; 0: not known, so it goes in chunks */
    unsigned stall_seconds;
    CURL *easy;
    char details[CURL_ERROR_SIZE];
    char answer[ANSWER_SHOWN + 1]; /* the beginning of the server's */
    size_t answer_length;
    uint64_t taken; /* from the pipe */
    uint64_t sent;  /* by curl's account */
    curl_socket_t sockets[SOCKETS_MAX];
    unsigned socket_count;
    uint64_t acknowledged; /* by the other side's TCP */
    bool stalled;
    struct err failure; /* set by a callback that ended the transfer */
    uint64_t active_ms; /* when something last moved */
    uint64_t told_ms;   /* when progress was last sent */
};

static int read_headers(struct upload *upload, const json_t *headers, struct err *err)
{
    for (size_t index = 0; index < json_array_size(headers); index++) {
        const char *line = json_string_value(json_array_get(headers, index));
        if (!line || !text_printable(line, HEADER_LIMIT))
            return err_set(err, ERR_INTERNAL, "a header is malformed");
        upload->headers = curl_slist_append(upload->headers, line);
    }
    return 0;
}

static int read_message(struct upload *upload, const json_t *message, struct err *err)
{
    struct fields fields;
    const char *url = NULL, *ca = NULL, *type = NULL;
    const json_t *headers = NULL;
    if (fields_open(&fields, message, "", err) < 0 ||
        field_string(&fields, "type", REQUIRED, 16, &type) != 0 ||
        field_string(&fields, "url", REQUIRED, URL_LIMIT, &url) != 0 ||
        field_string(&fields, "ca", OPTIONAL, NET_CA_LIMIT, &ca) != 0 ||
        field_array(&fields, "headers", OPTIONAL, HEADERS_MAX, &headers) != 0 ||
        field_size(&fields, "length", OPTIONAL, 1, INT64_MAX, &upload->length) != 0 ||
        field_unsigned(&fields, "stall_seconds", REQUIRED, 1, 3600, &upload->stall_seconds) != 0 ||
        fields_end(&fields) != 0)
        return err_context(err, "the agent's upload message");
    if (strcmp(type, "upload") != 0)
        return err_set(err, ERR_INTERNAL, "the agent's first message is \"%s\"", type);
    if (strncmp(url, "https://", 8) != 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "%.64s: an export goes by https", url);
    upload->trusted = net_trusted_certificates(ca);
    upload->url = xstrdup(url);
    upload->display = net_url_display(url);
    return read_headers(upload, headers, err);
}

static int tell_upload(struct upload *upload, uint64_t now)
{
    struct err ignored;
    json_t *message =
        json_pack("{s:s, s:I}", "type", "progress", "bytes", (json_int_t)upload->sent);
    upload->told_ms = now;
    int result = wire_send(upload->wire, message, &ignored);
    json_decref(message);
    return result;
}

static int note_socket(void *argument, curl_socket_t socket, curlsocktype purpose)
{
    struct upload *upload = argument;
    (void)purpose;
    if (upload->socket_count < SOCKETS_MAX)
        upload->sockets[upload->socket_count++] = socket;
    return CURL_SOCKOPT_OK;
}

/* What the server's machine has taken. What curl could write says little: the kernel takes
 * megabytes for a server that reads nothing, at times a few every second for minutes. */
static uint64_t acknowledged(const struct upload *upload)
{
    uint64_t most = 0;
    for (unsigned index = 0; index < upload->socket_count; index++) {
        struct tcp_info info = {.tcpi_bytes_acked = 0};
        socklen_t length = sizeof(info);
        /* One that curl has closed is no socket any more. */
        if (getsockopt(upload->sockets[index], IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
            info.tcpi_bytes_acked > most)
            most = info.tcpi_bytes_acked;
    }
    return most;
}

/* Called often, at least once a second while curl waits for the server. Another value than 0 ends
 * the transfer. */
static int progress(void *argument, curl_off_t total, curl_off_t now, curl_off_t upload_total,
                    curl_off_t upload_now)
{
    struct upload *upload = argument;
    uint64_t time = monotonic_ms();
    (void)total, (void)now, (void)upload_total;
    uint64_t taken = acknowledged(upload);
    if (taken != upload->acknowledged)
        upload->active_ms = time;
    upload->acknowledged = taken;
    upload->sent = (uint64_t)upload_now;
    if (time >= upload->told_ms + PROGRESS_MS && tell_upload(upload, time) != 0)
        return err_set(&upload->failure, ERR_CANCELLED, "the agent ended the transfer");
    upload->stalled = time >= upload->active_ms + upload->stall_seconds * UINT64_C(1000);
    return upload->stalled;
}

/* The pipe has ended: was that all? */
static int check_end(struct upload *upload, struct err *err)
{
    json_t *message = NULL;
    int got = wire_receive(upload->wire, END_MESSAGE_MS, &message, err);
    if (got < 0)
        return -1;
    json_t *bytes = json_object_get(message, "bytes");
    bool whole = got == 1 && json_is_integer(bytes) &&
                 (uint64_t)json_integer_value(bytes) == upload->taken &&
                 (upload->length == 0 || upload->length == upload->taken);
    json_decref(message);
    return whole ? 0 : err_set(err, ERR_CANCELLED, "the export ended early");
}

static size_t give_body(char *data, size_t size, size_t count, void *argument)
{
    struct upload *upload = argument;
    uint64_t before = monotonic_ms();
    ssize_t got;
    do
        got = read(upload->input, data, size * count);
    while (got < 0 && errno == EINTR);
    /* The time that was spent waiting here is not the server's. */
    upload->active_ms += monotonic_ms() - before;
    if (got > 0) {
        upload->taken += (uint64_t)got;
        return (size_t)got;
    }
    if (got < 0)
        err_errno(&upload->failure, ERR_INTERNAL, errno, "reading the export");
    else if (check_end(upload, &upload->failure) == 0)
        return 0;
    return CURL_READFUNC_ABORT;
}

static size_t take_answer(char *data, size_t size, size_t count, void *argument)
{
    struct upload *upload = argument;
    size_t length = size * count, room = ANSWER_SHOWN - upload->answer_length;
    size_t kept = length < room ? length : room;
    memcpy(upload->answer + upload->answer_length, data, kept);
    upload->answer_length += kept;
    upload->active_ms = monotonic_ms();
    return length;
}

static void set_options(struct upload *upload, const struct tls *tls)
{
    CURL *easy = upload->easy;
    curl_easy_setopt(easy, CURLOPT_URL, upload->url);
    connection_apply(easy, "https", tls);
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE,
                     upload->length != 0 ? (curl_off_t)upload->length : (curl_off_t)-1);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, USER_AGENT);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, upload->headers);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, upload->details);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_body);
    curl_easy_setopt(easy, CURLOPT_READDATA, upload);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, upload);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, note_socket);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, upload);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, upload);
}

static int judge_status(const struct upload *upload, long status, struct err *err)
{
    char answer[ANSWER_SHOWN + 1];
    memcpy(answer, upload->answer, sizeof(answer));
    text_clean(answer);
    if (status >= 300 && status < 400)
        return err_set(err, ERR_EXPORT_FAILED,
                       "%s: HTTP status %ld: a redirect, which an export does not follow",
                       upload->display, status);
    return err_set(err, ERR_EXPORT_FAILED, "%s: HTTP status %ld%s%s%s", upload->display, status,
                   status == 401   ? " (unauthorized)"
                   : status == 403 ? " (forbidden)"
                   : status == 404 ? " (not found)"
                   : status == 413 ? " (too large)"
                   : status == 507 ? " (no space left)"
                                   : "",
                   answer[0] != '\0' ? ": " : "", answer);
}

/* What the server answered counts for more than how the connection ended after it. */
static int judge_upload(struct upload *upload, CURLcode code, const struct tls *tls,
                        struct err *err)
{
    long status = 0;
    curl_easy_getinfo(upload->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 300)
        return judge_status(upload, status, err);
    if (upload->failure.code != ERR_NONE) {
        *err = upload->failure;
        return err_context(err, "%s", upload->display);
    }
    if (upload->stalled)
        return err_set(err, ERR_EXPORT_FAILED,
                       "%s: the server has taken nothing for %u s, at byte %llu", upload->display,
                       upload->stall_seconds, (unsigned long long)upload->sent);
    if (code != CURLE_OK) {
        tls_failure(upload->easy, code, upload->details, upload->display, tls, err);
        err->code = ERR_EXPORT_FAILED;
        return -1;
    }
    if (status < 200)
        return err_set(err, ERR_EXPORT_FAILED, "%s: HTTP status %ld", upload->display, status);
    if (upload->length != 0 && upload->taken != upload->length)
        return err_set(err, ERR_INTERNAL, "%llu bytes of %llu were sent",
                       (unsigned long long)upload->taken, (unsigned long long)upload->length);
    return 0;
}

static int send_body(struct upload *upload, struct err *err)
{
    struct tls tls = {.ca = upload->trusted ? upload->trusted : ""};
    upload->easy = curl_easy_init();
    if (!upload->easy)
        return err_set(err, ERR_INTERNAL, "curl does not start");
    set_options(upload, &tls);
    upload->active_ms = monotonic_ms();
    CURLcode code = curl_easy_perform(upload->easy);
    return judge_upload(upload, code, &tls, err);
}

static void report_upload(struct upload *upload, int result, const struct err *failure)
{
    struct err err;
    json_t *message =
        result == 0 ? json_pack("{s:s, s:I}", "type", "done", "bytes", (json_int_t)upload->taken)
                    : wire_failure(failure);
    if (wire_send(upload->wire, message, &err) < 0)
        log_warning("%s", err.message);
    json_decref(message);
}

int net_upload(struct wire *wire, int input, struct err *err)
{
    struct upload upload = {.wire = wire, .input = input};
    json_t *message = NULL;
    int received = wire_receive(wire, FIRST_MESSAGE_MS, &message, err);
    if (received <= 0)
        return received;
    int result = read_message(&upload, message, err);
    json_decref(message);
    if (result == 0)
        result = send_body(&upload, err);
    report_upload(&upload, result, err);
    curl_easy_cleanup(upload.easy);
    curl_slist_free_all(upload.headers);
    free(upload.url);
    free(upload.display);
    free(upload.trusted);
    return result;
}
