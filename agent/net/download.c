#include "net/download.h"

#include "base/err.h"
#include "base/file.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void answer_reset(struct answer *answer)
{
    *answer = (struct answer){.length = -1, .range_start = -1, .range_total = -1};
}

/* The header's value, without the space around it, when it is of that name and fits. */
static bool header_value(const char *line, size_t length, const char *name, char *value,
                         size_t size)
{
    size_t name_length = strlen(name);
    if (length <= name_length || strncasecmp(line, name, name_length) != 0 ||
        line[name_length] != ':')
        return false;
    const char *start = line + name_length + 1, *end = line + length;
    while (start < end && isspace((unsigned char)*start))
        start++;
    while (end > start && isspace((unsigned char)end[-1]))
        end--;
    if ((size_t)(end - start) >= size)
        return false;
    for (const char *at = start; at < end; at++) /* it may be sent back */
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return false;
    memcpy(value, start, (size_t)(end - start));
    value[end - start] = '\0';
    return true;
}

static bool number(const char **text, int64_t *value)
{
    char *end;
    errno = 0;
    if (!isdigit((unsigned char)**text))
        return false;
    *value = strtoll(*text, &end, 10);
    *text = end;
    return errno == 0;
}

/* "bytes 100-199/200" */
static void read_range(struct answer *answer, const char *value)
{
    int64_t start, end, total;
    if (strncasecmp(value, "bytes ", 6) != 0)
        return;
    value += 6;
    if (!number(&value, &start) || *value++ != '-' || !number(&value, &end) || *value++ != '/' ||
        !number(&value, &total) || *value != '\0' || end + 1 != total)
        return;
    answer->range_start = start;
    answer->range_total = total;
}

void answer_header(struct answer *answer, const char *line, size_t length)
{
    char value[VALIDATOR_BYTES];
    const char *at = value;
    if (header_value(line, length, "ETag", value, sizeof(value)))
        copy_text(answer->etag, sizeof(answer->etag), value);
    else if (header_value(line, length, "Last-Modified", value, sizeof(value)))
        copy_text(answer->modified, sizeof(answer->modified), value);
    else if (header_value(line, length, "Content-Length", value, sizeof(value)) &&
             (!number(&at, &answer->length) || *at != '\0'))
        answer->length = -1;
    else if (header_value(line, length, "Content-Range", value, sizeof(value)))
        read_range(answer, value);
}

const char *download_if_range(const struct download *download)
{
    if (download->etag[0] == '"')
        return download->etag;
    return download->modified[0] != '\0' ? download->modified : NULL;
}

/* Whether two answers are of the same file: all that both name is equal, and that is something. */
static bool same_file(const struct download *download, const struct answer *answer, int64_t total)
{
    bool etags = download->etag[0] != '\0' && answer->etag[0] != '\0';
    bool dates = download->modified[0] != '\0' && answer->modified[0] != '\0';
    if ((etags && strcmp(download->etag, answer->etag) != 0) ||
        (dates && strcmp(download->modified, answer->modified) != 0) ||
        (download->total >= 0 && total >= 0 && download->total != total))
        return false;
    return etags || dates;
}

static int check_total(const struct download *download, int64_t total, struct err *err)
{
    if (total < 0)
        return 0;
    if (download->expected_bytes != 0 && (uint64_t)total != download->expected_bytes)
        return err_set(err, ERR_IMAGE_LENGTH_MISMATCH,
                       "the server has %lld bytes, %llu were announced", (long long)total,
                       (unsigned long long)download->expected_bytes);
    if ((uint64_t)total > download->limit_bytes)
        return err_set(err, ERR_IMAGE_TOO_LARGE, "the server has %lld bytes, at most %llu fit",
                       (long long)total, (unsigned long long)download->limit_bytes);
    return 0;
}

int download_accept(struct download *download, const struct answer *answer, struct err *err)
{
    bool partial = answer->status == 206;
    int64_t total = partial ? answer->range_total : answer->length;
    if (check_total(download, total, err) < 0)
        return -1;
    if (download->delivered == 0) {
        if (partial && answer->range_start != 0)
            return err_set(err, ERR_IMAGE_UNAVAILABLE, "the server sends a part unasked");
        copy_text(download->etag, sizeof(download->etag), answer->etag);
        copy_text(download->modified, sizeof(download->modified), answer->modified);
        download->total = total;
        download->skip = 0;
        return 0;
    }
    if (partial && answer->range_start != (int64_t)download->delivered)
        return err_set(err, ERR_IMAGE_UNAVAILABLE,
                       "the server goes on with the wrong byte after a broken transfer");
    /* An answer to If-Range need not repeat the date that the request named. */
    bool promised = partial && download_if_range(download) != NULL && answer->etag[0] == '\0' &&
                    answer->modified[0] == '\0' && total == download->total;
    if (!promised && !same_file(download, answer, total))
        return err_set(err, ERR_IMAGE_UNAVAILABLE,
                       "the transfer broke after %llu bytes and cannot go on: the server's file "
                       "has changed, or it has neither ETag nor Last-Modified",
                       (unsigned long long)download->delivered);
    download->skip = partial ? 0 : download->delivered;
    return 0;
}

int download_write(struct download *download, const void *data, size_t length, struct err *err)
{
    const char *bytes = data;
    size_t skipped = length < download->skip ? length : (size_t)download->skip;
    download->skip -= skipped;
    bytes += skipped;
    length -= skipped;
    uint64_t limit =
        download->expected_bytes != 0 ? download->expected_bytes : download->limit_bytes;
    if (length > limit - download->delivered)
        return err_set(
            err, download->expected_bytes != 0 ? ERR_IMAGE_LENGTH_MISMATCH : ERR_IMAGE_TOO_LARGE,
            "the server sends more than %llu bytes", (unsigned long long)limit);
    if (length > 0 && write_full(download->output, bytes, length) != 0)
        return err_errno(err, ERR_CANCELLED, errno, "the import ended");
    download->delivered += length;
    return 0;
}

int download_finish(const struct download *download, struct err *err)
{
    uint64_t expected = download->expected_bytes;
    if (expected != 0 && download->delivered != expected)
        return err_set(err, ERR_IMAGE_LENGTH_MISMATCH,
                       "the server sent %llu bytes, %llu were announced",
                       (unsigned long long)download->delivered, (unsigned long long)expected);
    return 0;
}
