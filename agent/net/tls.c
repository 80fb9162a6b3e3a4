#include "net/tls.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"

#include <mbedtls/base64.h>
#include <mbedtls/pk.h>
#include <mbedtls/sha256.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <string.h>

#if MBEDTLS_VERSION_MAJOR < 3
#define mbedtls_sha256 mbedtls_sha256_ret
#endif

#define SHA256_BYTES 32
/* RSA of 8192 bits has 1.1 KiB. A longer key has no pin, and its server is not taken. */
#define PUBLIC_KEY_BYTES 2048

static void set_blob(CURL *easy, CURLoption option, const char *text, size_t length)
{
    struct curl_blob blob = {.data = (char *)text, .len = length, .flags = CURL_BLOB_COPY};
    curl_easy_setopt(easy, option, &blob);
}

static void tls_apply(CURL *easy, const struct tls *tls)
{
    bool verify = tls->ca;
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
    curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L); /* for tls_failure */
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    if (verify)
        set_blob(easy, CURLOPT_CAINFO_BLOB, tls->ca, strlen(tls->ca));
    if (tls->pin)
        curl_easy_setopt(easy, CURLOPT_PINNEDPUBLICKEY, tls->pin);
    if (tls->key && tls->certificate) {
        set_blob(easy, CURLOPT_SSLCERT_BLOB, tls->certificate, strlen(tls->certificate));
        /* mbedtls wants the terminator to be part of a PEM key. */
        set_blob(easy, CURLOPT_SSLKEY_BLOB, tls->key, strlen(tls->key) + 1);
    }
}

void connection_apply(CURL *easy, const char *protocols, const struct tls *tls)
{
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, protocols);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    tls_apply(easy, tls);
}

static bool public_key_pin(mbedtls_pk_context *key, char pin[static PIN_TEXT_BYTES])
{
    unsigned char der[PUBLIC_KEY_BYTES], digest[SHA256_BYTES], text[PIN_TEXT_BYTES];
    size_t length = 0;
    int der_length = mbedtls_pk_write_pubkey_der(key, der, sizeof(der));
    if (der_length <= 0 ||
        mbedtls_sha256(der + sizeof(der) - der_length, (size_t)der_length, digest, 0) != 0 ||
        mbedtls_base64_encode(text, sizeof(text), &length, digest, sizeof(digest)) != 0)
        return false;
    snprintf(pin, PIN_TEXT_BYTES, "sha256//%.*s", (int)length, (char *)text);
    return true;
}

bool tls_certificate_pin(const char *certificate, char pin[static PIN_TEXT_BYTES])
{
    mbedtls_x509_crt parsed;
    mbedtls_x509_crt_init(&parsed);
    bool found = mbedtls_x509_crt_parse(&parsed, (const unsigned char *)certificate,
                                        strlen(certificate) + 1) == 0 &&
                 public_key_pin(&parsed.pk, pin);
    mbedtls_x509_crt_free(&parsed);
    return found;
}

/* The server's own certificate as curl kept it, or NULL when the handshake did not come that
 * far. */
static const char *server_certificate(CURL *easy)
{
    struct curl_certinfo *chain = NULL;
    if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || !chain ||
        chain->num_of_certs < 1)
        return NULL;
    for (struct curl_slist *line = chain->certinfo[0]; line; line = line->next)
        if (strncmp(line->data, "Cert:", 5) == 0)
            return line->data + 5;
    return NULL;
}

static int pin_failure(CURL *easy, const char *url, const char *expected, struct err *err)
{
    char pin[PIN_TEXT_BYTES];
    const char *certificate = server_certificate(easy);
    if (!certificate || !tls_certificate_pin(certificate, pin))
        return err_set(err, ERR_CONTROLLER_CERTIFICATE,
                       "%s: the server's public key is not the pinned one, %s", url, expected);
    return err_set(err, ERR_CONTROLLER_CERTIFICATE,
                   "%s: the server's public key is %s, but slicenode.pin is %s", url, pin,
                   expected);
}

/* Whose certificate it is and until when, as far as it is known: "" or " (subject ..., ...)". */
static void describe_certificate(CURL *easy, char *text, size_t size)
{
    char subject[256];
    const char *certificate = server_certificate(easy);
    mbedtls_x509_crt parsed;
    mbedtls_x509_crt_init(&parsed);
    text[0] = '\0';
    if (certificate &&
        mbedtls_x509_crt_parse(&parsed, (const unsigned char *)certificate,
                               strlen(certificate) + 1) == 0 &&
        mbedtls_x509_dn_gets(subject, sizeof(subject), &parsed.subject) > 0)
        snprintf(text, size, " (it is for %s, valid from %04d-%02d-%02d to %04d-%02d-%02d)",
                 subject, parsed.valid_from.year, parsed.valid_from.mon, parsed.valid_from.day,
                 parsed.valid_to.year, parsed.valid_to.mon, parsed.valid_to.day);
    mbedtls_x509_crt_free(&parsed);
}

/* curl's text on one line and without the space around it. */
static void one_line(const char *details, char *text, size_t size)
{
    copy_text(text, size, strlen(details) < size ? details : "");
    size_t length = strlen(text);
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
        text[--length] = '\0';
    for (char *at = text; *at != '\0'; at++)
        if (*at == '\n' || *at == '\r')
            *at = ';';
}

static int system_failure(CURL *easy, const char *url, const char *details, struct err *err)
{
    long error_number = 0;
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &error_number);
    if (error_number != 0)
        return err_errno(err, ERR_CONTROLLER_UNREACHABLE, (int)error_number, "%s: cannot connect",
                         url);
    return err_set(err, ERR_CONTROLLER_UNREACHABLE, "%s: cannot connect: %s", url, details);
}

int tls_failure(CURL *easy, CURLcode code, const char *details, const char *url,
                const struct tls *tls, struct err *err)
{
    char text[CURL_ERROR_SIZE], certificate[512], today[TIME_TEXT_BYTES];
    one_line(details[0] != '\0' ? details : curl_easy_strerror(code), text, sizeof(text));
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return err_set(err, ERR_CONTROLLER_UNREACHABLE,
                       "%s: the server's name cannot be resolved (%s)", url, text);
    case CURLE_COULDNT_CONNECT:
        return system_failure(easy, url, text, err);
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return pin_failure(easy, url, tls->pin ? tls->pin : "", err);
    case CURLE_PEER_FAILED_VERIFICATION:
        describe_certificate(easy, certificate, sizeof(certificate));
        time_format(wall_ms(), today);
        return err_set(err, ERR_CONTROLLER_CERTIFICATE,
                       "%s: the server's certificate is not trusted%s: %s; the node's clock says "
                       "%.10s",
                       url, certificate, text, today);
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
        return err_set(err, ERR_CONTROLLER_CERTIFICATE,
                       "%s: the CA's or the node's certificate cannot be used: %s", url, text);
    case CURLE_SSL_CONNECT_ERROR:
        return err_set(err, ERR_CONTROLLER_UNREACHABLE, "%s: the TLS handshake failed: %s", url,
                       text);
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
        return err_set(err, ERR_CONTROLLER_UNREACHABLE, "%s: the connection was lost: %s", url,
                       text);
    default:
        return err_set(err, ERR_CONTROLLER_UNREACHABLE, "%s: %s", url, text);
    }
}
