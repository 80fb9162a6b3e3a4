/* Whom sliced-net trusts and who it is itself, as settings of a curl transfer; and curl's
 * failures in words an operator can act on. */
#ifndef SLICENODE_NET_TLS_H
#define SLICENODE_NET_TLS_H

#include "base/err.h"

#include <curl/curl.h>
#include <stdbool.h>

/* All PEM texts may be NULL; they stay the caller's and must outlive the transfer. */
struct tls {
    const char *ca;          /* certificates that a server's must descend from */
    const char *pin;         /* sha256//BASE64 of the server's public key */
    const char *key;         /* the node's own */
    const char *certificate; /* the node's own */
};

#define PIN_TEXT_BYTES 64

/* What all transfers have in common: HTTP/1.1 straight to the server, no redirects, and TLS 1.2 or
 * newer. With a CA the server must prove its name by it; with a pin it must have that key; without
 * both, or with only a pin, nothing else is checked, so never call it without both. `protocols` is
 * a list for CURLOPT_PROTOCOLS_STR. */
void connection_apply(CURL *easy, const char *protocols, const struct tls *tls);

/* What went wrong with a transfer, for the operator. `details` is curl's error buffer, which may be
 * empty. ERR_CONTROLLER_CERTIFICATE when the server could not prove who it is, else
 * ERR_CONTROLLER_UNREACHABLE. */
int tls_failure(CURL *easy, CURLcode code, const char *details, const char *url,
                const struct tls *tls, struct err *err);

/* The pin of a certificate (PEM); false when it cannot be read. */
bool tls_certificate_pin(const char *certificate, char pin[static PIN_TEXT_BYTES]);

#endif
