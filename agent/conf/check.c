/* Checks of the values of the simple keys. */
#include "base/check.h"
#include "base/err.h"
#include "base/memory.h"
#include "base/text.h"
#include "conf/conf.h"

#include <string.h>

/* Tried one after the other, 10 s each: at ten times as many a call would take a quarter of an
 * hour. More are refused, and told. */
#define CONTROLLERS_MAX 8
/* ntpd polls each. More are refused, and told. */
#define NTP_SERVERS_MAX 4
/* Of a word on a kernel's command line. Longer is refused, and told. */
#define TOKEN_LIMIT 256
/* Likewise, for each. */
#define CONTROLLER_LIMIT 512
/* A label of a host name. Longer is refused, and told. */
#define NODE_NAME_LIMIT 63
#define PIN_PREFIX "sha256//"
#define PIN_BASE64_LENGTH 44

static int refuse_value(struct err *err, const char *value, const char *what)
{
    return err_set(err, ERR_CONF_INVALID, "%s %s", quoted(value).text, what);
}

static int check_controller_url(const char *url, struct err *err)
{
    if (!*url)
        return err_set(err, ERR_CONF_INVALID, "an empty URL");
    if (strncmp(url, "https://", 8) != 0)
        return refuse_value(err, url, "must begin with https://");
    if (strlen(url) > CONTROLLER_LIMIT)
        return refuse_value(err, url, "is too long");
    if (strchr(url, '?'))
        return refuse_value(err, url, "must not hold a query");
    return url_check(url, err);
}

/* URL[,URL...]; slashes at the end are dropped, since the calls' paths begin with one. */
int conf_check_controller(char *value, struct err *err)
{
    CLEANUP_FREE char *copy = xstrdup(value);
    char *rest = copy, *url;
    char *end = value;
    unsigned count = 0;

    while ((url = strsep(&rest, ","))) {
        size_t length = strlen(url);
        if (check_controller_url(url, err) < 0)
            return -1;
        if (++count > CONTROLLERS_MAX)
            return err_set(err, ERR_CONF_INVALID, "more than %d URLs", CONTROLLERS_MAX);
        while (url[length - 1] == '/')
            length--;
        if (end != value)
            *end++ = ',';
        memcpy(end, url, length);
        end += length;
    }
    *end = '\0';
    return 0;
}

/* One or more certificates in PEM. What they say is checked when they are used; here it is made
 * sure that nothing was lost in copying and that no private key was put here. */
int conf_check_ca(char *value, struct err *err)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    static const char end[] = "-----END CERTIFICATE-----";
    CLEANUP_FREE char *copy = xstrdup(value);
    char *rest = copy, *line;
    bool within = false;
    unsigned count = 0, lines = 0;

    while ((line = strsep(&rest, "\n"))) {
        if (!*line)
            continue;
        if (!within && strcmp(line, begin) == 0) {
            within = true;
            lines = 0;
        } else if (within && strcmp(line, end) == 0 && lines > 0) {
            within = false;
            count++;
        } else if (within && base64_valid(line, 76)) {
            lines++;
        } else {
            return err_set(err, ERR_CONF_INVALID, "must be certificates in PEM, from %s to %s",
                           begin, end);
        }
    }
    if (within || count == 0)
        return err_set(err, ERR_CONF_INVALID, "%s is missing", within ? end : begin);
    return 0;
}

int conf_check_pin(char *value, struct err *err)
{
    if (strncmp(value, PIN_PREFIX, strlen(PIN_PREFIX)) != 0 ||
        strlen(value) != strlen(PIN_PREFIX) + PIN_BASE64_LENGTH ||
        !base64_valid(value + strlen(PIN_PREFIX), PIN_BASE64_LENGTH) ||
        value[strlen(value) - 2] == '=')
        return refuse_value(err, value,
                            "must be " PIN_PREFIX " and the base64 of the public key's SHA-256");
    return 0;
}

/* The message does not show the token: it goes to the console and to logs. */
int conf_check_token(char *value, struct err *err)
{
    if (!text_printable(value, TOKEN_LIMIT) || strpbrk(value, " \""))
        return err_set(err, ERR_CONF_INVALID, "must be 1 to %d printable characters without blanks",
                       TOKEN_LIMIT);
    return 0;
}

/* HOST[,HOST...] or `none`. */
int conf_check_ntp(char *value, struct err *err)
{
    CLEANUP_FREE char *copy = xstrdup(value);
    char *rest = copy, *host;
    unsigned count = 0;

    while ((host = strsep(&rest, ","))) {
        struct address address;
        if (!address_parse(host, &address) && !hostname_valid(host))
            return refuse_value(err, host, "must be a host name or an address");
        if (++count > NTP_SERVERS_MAX)
            return err_set(err, ERR_CONF_INVALID, "more than %d servers", NTP_SERVERS_MAX);
    }
    return 0;
}

int conf_check_ssh_key(char *value, struct err *err)
{
    return ssh_key_check(value, err);
}

int conf_check_name(char *value, struct err *err)
{
    if (!hostname_valid(value) || strlen(value) > NODE_NAME_LIMIT)
        return refuse_value(
            err, value, "must be a host name: 1 to 63 letters, digits, '-' and '.' between them");
    return 0;
}
