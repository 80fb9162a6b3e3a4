/* The node's key, its certificate request, and what the certificate says. */
#ifndef SLICENODE_NET_KEY_H
#define SLICENODE_NET_KEY_H

#include "base/err.h"

#include <stdint.h>

/* Many times what the node's key (P-256) and its request take. More would be an error of mbedtls,
 * which is told. */
#define KEY_PEM_BYTES 4096

/* A new private key on the curve P-256, as PEM. */
int key_make(char pem[static KEY_PEM_BYTES], struct err *err);

/* A certificate request signed with `key`; the controller chooses the subject. */
int key_request(const char *key, char pem[static KEY_PEM_BYTES], struct err *err);

/* When the certificate ends, in seconds since 1970; an error when it cannot be read or is not for
 * `key`. */
int key_certificate_end(const char *key, const char *certificate, int64_t *seconds,
                        struct err *err);

#endif
