#include "base/check.h"

#include "base/err.h"
#include "base/memory.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define LABEL_LIMIT 63

bool hostname_valid(const char *text)
{
    size_t total = strlen(text);

    if (total >= HOSTNAME_BYTES)
        return false;
    for (;;) {
        size_t label = strspn(text, LETTERS DIGITS "-");
        if (label == 0 || label > LABEL_LIMIT || text[0] == '-' || text[label - 1] == '-')
            return false;
        text += label;
        if (*text == '\0')
            return true;
        if (*text++ != '.')
            return false;
    }
}

bool mac_valid(const char *text)
{
    bool zero = true;

    for (unsigned i = 0; i < MAC_TEXT_BYTES - 1; i++) {
        if (i % 3 == 2 ? text[i] != ':' : !text[i] || !strchr(DIGITS "abcdef", text[i]))
            return false;
        zero = zero && (text[i] == '0' || text[i] == ':');
    }
    /* The lowest bit of the first byte marks a group. */
    return text[MAC_TEXT_BYTES - 1] == '\0' && !zero && strchr("02468ace", text[1]);
}

bool address_parse(const char *text, struct address *address)
{
    *address = (struct address){.family = strchr(text, ':') ? AF_INET6 : AF_INET};
    address->prefix = address->family == AF_INET6 ? 128 : 32;
    return inet_pton(address->family, text, address->bytes) == 1;
}

bool address_prefix_parse(const char *text, struct address *address)
{
    char host[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t digits = slash ? strspn(slash + 1, DIGITS) : 0;
    unsigned prefix;

    if (!slash || (size_t)(slash - text) >= sizeof(host) || digits == 0 || digits > 3 ||
        slash[1 + digits] != '\0' || (digits > 1 && slash[1] == '0'))
        return false;
    memcpy(host, text, (size_t)(slash - text));
    host[slash - text] = '\0';
    prefix = (unsigned)strtoul(slash + 1, NULL, 10);
    if (!address_parse(host, address) || prefix == 0 || prefix > address->prefix)
        return false;
    address->prefix = prefix;
    return true;
}

/* Whether all bits after the prefix have this value; true as well when there are none. */
static bool host_bits(const struct address *address, unsigned value)
{
    unsigned bits = address->family == AF_INET6 ? 128 : 32;

    for (unsigned bit = address->prefix; bit < bits; bit++)
        if ((address->bytes[bit / 8] >> (7 - bit % 8) & 1) != value)
            return false;
    return true;
}

bool address_of_host(const struct address *address)
{
    const unsigned char *bytes = address->bytes;

    if (address->family == AF_INET) {
        if (bytes[0] == 0 || bytes[0] == 127 || bytes[0] >= 224)
            return false;
        /* Networks of one or two addresses have no first and last ones to spare (RFC 3021). */
        return address->prefix > 30 || (!host_bits(address, 0) && !host_bits(address, 1));
    }
    for (unsigned i = 0; i < 15; i++)
        if (bytes[i] != 0)
            return bytes[0] != 0xff;
    return bytes[15] > 1;
}

bool address_same_network(const struct address *address, const struct address *other)
{
    if (address->family != other->family)
        return false;
    for (unsigned bit = 0; bit < address->prefix; bit++)
        if ((address->bytes[bit / 8] ^ other->bytes[bit / 8]) >> (7 - bit % 8) & 1)
            return false;
    return true;
}

static bool port_valid(const char *text)
{
    size_t digits = strspn(text, DIGITS);
    unsigned long port = strtoul(text, NULL, 10);

    return digits > 0 && digits <= 5 && text[digits] == '\0' && port >= 1 && port <= 65535;
}

/* HOST, HOST:PORT, [IPV6] or [IPV6]:PORT; NULL when it is good, else what is wrong. */
static const char *authority_problem(char *authority)
{
    struct address address;
    char *port;

    if (strchr(authority, '@'))
        return "must not hold a user name";
    if (authority[0] == '[') {
        char *end = strchr(authority, ']');
        if (!end)
            return "has no host";
        *end = '\0';
        if (!address_parse(authority + 1, &address) || address.family != AF_INET6)
            return "has a bad IPv6 address";
        if (end[1] == '\0')
            return NULL;
        return end[1] == ':' && port_valid(end + 2) ? NULL : "has a bad port";
    }
    port = strchr(authority, ':');
    if (port)
        *port++ = '\0';
    /* A host of digits and dots alone is an address, and then has to be a whole one. */
    if (authority[strspn(authority, DIGITS ".")] == '\0' ? !address_parse(authority, &address)
                                                         : !hostname_valid(authority))
        return "has no valid host";
    return !port || port_valid(port) ? NULL : "has a bad port";
}

int url_check(const char *url, struct err *err)
{
    const char *host = strncmp(url, "https://", 8) == 0  ? url + 8
                       : strncmp(url, "http://", 7) == 0 ? url + 7
                                                         : NULL;
    CLEANUP_FREE char *authority = NULL;
    const char *problem;

    if (!host)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s must begin with https:// or http://",
                       quoted(url).text);
    for (const char *character = url; *character; character++)
        if (*character <= ' ' || *character > '~' || strchr("\"<>\\^`{|}#", *character))
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "%s holds a character that a URL here cannot have (at byte %zu)",
                           quoted(url).text, (size_t)(character - url) + 1);
    authority = xasprintf("%.*s", (int)strcspn(host, "/?"), host);
    problem = authority_problem(authority);
    if (problem)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s %s", quoted(url).text, problem);
    return 0;
}

bool base64_valid(const char *text, size_t limit)
{
    size_t length = strspn(text, LETTERS DIGITS "+/");
    size_t padding = strspn(text + length, "=");

    return length > 0 && text[length + padding] == '\0' && padding <= 2 &&
           (length + padding) % 4 == 0 && length + padding <= limit;
}

int ssh_key_check(const char *line, struct err *err)
{
    static const char *const types[] = {
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    };
    size_t type_length = strcspn(line, " ");
    const char *body = line + type_length + strspn(line + type_length, " ");
    CLEANUP_FREE char *data = xasprintf("%.*s", (int)strcspn(body, " "), body);
    bool known = false;

    if (strlen(line) > SSH_KEY_LIMIT)
        return err_set(err, ERR_INVALID_ARGUMENT, "a key is longer than %d bytes", SSH_KEY_LIMIT);
    if (!text_valid(line))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s must be one line of text", quoted(line).text);
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        known =
            known || (strlen(types[i]) == type_length && strncmp(line, types[i], type_length) == 0);
    if (!known)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%s must begin with a key type such as ssh-ed25519 or ssh-rsa",
                       quoted(line).text);
    /* Every key begins with the length of its type: three zero bytes, AAAA in base64. */
    if (strncmp(data, "AAAA", 4) != 0 || !base64_valid(data, SSH_KEY_LIMIT))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s has no valid key after its type",
                       quoted(line).text);
    return 0;
}
