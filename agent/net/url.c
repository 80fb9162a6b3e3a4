#include "net/url.h"

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

#include <string.h>

#define CA_BUNDLE "/etc/ssl/certs/ca-certificates.crt"

char *net_url_display(const char *url)
{
    const char *host = strstr(url, "://");
    size_t scheme = host ? (size_t)(host - url) + 3 : 0;
    const char *rest = url + scheme;
    const char *at = memchr(rest, '@', strcspn(rest, "/?#"));
    if (at)
        rest = at + 1;
    return xasprintf("%.*s%.*s", (int)scheme, url, (int)strcspn(rest, "?#"), rest);
}

char *net_trusted_certificates(const char *ca)
{
    struct err problem;
    CLEANUP_FREE char *bundle = NULL;
    size_t length = 0;
    if (read_file(CA_BUNDLE, NET_CA_LIMIT, &bundle, &length, &problem) != 0)
        log_debug("%s", problem.message);
    if (!bundle && !ca)
        return NULL;
    return xasprintf("%s\n%s", bundle ? bundle : "", ca ? ca : "");
}
