#include "net/key.h"

#include "base/err.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/pk.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>
#include <string.h>
#include <time.h>

#define SUBJECT "CN=slicenode,O=Slicenode node"

struct random {
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context generator;
};

static int failed(int result, const char *what, struct err *err)
{
    char text[128];
    mbedtls_strerror(result, text, sizeof(text));
    return err_set(err, ERR_INTERNAL, "%s: %s", what, text);
}

static int random_open(struct random *random, struct err *err)
{
    mbedtls_entropy_init(&random->entropy);
    mbedtls_ctr_drbg_init(&random->generator);
    int result =
        mbedtls_ctr_drbg_seed(&random->generator, mbedtls_entropy_func, &random->entropy, NULL, 0);
    return result != 0 ? failed(result, "random numbers", err) : 0;
}

static void random_close(struct random *random)
{
    mbedtls_ctr_drbg_free(&random->generator);
    mbedtls_entropy_free(&random->entropy);
}

static int parse_key(mbedtls_pk_context *key, const char *pem, struct random *random)
{
    const unsigned char *text = (const unsigned char *)pem;
#if MBEDTLS_VERSION_MAJOR < 3
    (void)random;
    return mbedtls_pk_parse_key(key, text, strlen(pem) + 1, NULL, 0);
#else
    return mbedtls_pk_parse_key(key, text, strlen(pem) + 1, NULL, 0, mbedtls_ctr_drbg_random,
                                &random->generator);
#endif
}

static int check_pair(mbedtls_pk_context *public, mbedtls_pk_context *private,
                      struct random *random)
{
#if MBEDTLS_VERSION_MAJOR < 3
    (void)random;
    return mbedtls_pk_check_pair(public, private);
#else
    return mbedtls_pk_check_pair(public, private, mbedtls_ctr_drbg_random, &random->generator);
#endif
}

static int make(mbedtls_pk_context *key, struct random *random)
{
    int result = mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
    if (result != 0)
        return result;
    return mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key),
                               mbedtls_ctr_drbg_random, &random->generator);
}

int key_make(char pem[static KEY_PEM_BYTES], struct err *err)
{
    struct random random;
    mbedtls_pk_context key;
    mbedtls_pk_init(&key);
    int outcome = random_open(&random, err);
    if (outcome == 0) {
        int result = make(&key, &random);
        if (result == 0)
            result = mbedtls_pk_write_key_pem(&key, (unsigned char *)pem, KEY_PEM_BYTES);
        if (result != 0)
            outcome = failed(result, "making the node's key", err);
    }
    mbedtls_pk_free(&key);
    random_close(&random);
    return outcome;
}

static int write_request(mbedtls_pk_context *key, struct random *random, char *pem)
{
    mbedtls_x509write_csr request;
    mbedtls_x509write_csr_init(&request);
    mbedtls_x509write_csr_set_key(&request, key);
    mbedtls_x509write_csr_set_md_alg(&request, MBEDTLS_MD_SHA256);
    int result = mbedtls_x509write_csr_set_subject_name(&request, SUBJECT);
    if (result == 0)
        result = mbedtls_x509write_csr_pem(&request, (unsigned char *)pem, KEY_PEM_BYTES,
                                           mbedtls_ctr_drbg_random, &random->generator);
    mbedtls_x509write_csr_free(&request);
    return result;
}

int key_request(const char *key_pem, char pem[static KEY_PEM_BYTES], struct err *err)
{
    struct random random;
    mbedtls_pk_context key;
    mbedtls_pk_init(&key);
    int outcome = random_open(&random, err);
    if (outcome == 0) {
        int result = parse_key(&key, key_pem, &random);
        if (result == 0)
            result = write_request(&key, &random, pem);
        if (result != 0)
            outcome = failed(result, "the node's certificate request", err);
    }
    mbedtls_pk_free(&key);
    random_close(&random);
    return outcome;
}

static int64_t seconds_of(const mbedtls_x509_time *time)
{
    struct tm parts = {.tm_year = time->year - 1900,
                       .tm_mon = time->mon - 1,
                       .tm_mday = time->day,
                       .tm_hour = time->hour,
                       .tm_min = time->min,
                       .tm_sec = time->sec};
    return timegm(&parts);
}

int key_certificate_end(const char *key_pem, const char *certificate, int64_t *seconds,
                        struct err *err)
{
    struct random random;
    mbedtls_pk_context key;
    mbedtls_x509_crt parsed;
    mbedtls_pk_init(&key);
    mbedtls_x509_crt_init(&parsed);
    int outcome = random_open(&random, err);
    if (outcome == 0) {
        int result = mbedtls_x509_crt_parse(&parsed, (const unsigned char *)certificate,
                                            strlen(certificate) + 1);
        if (result == 0)
            result = parse_key(&key, key_pem, &random);
        if (result == 0)
            result = check_pair(&parsed.pk, &key, &random);
        if (result != 0)
            outcome = failed(result, "the node's certificate", err);
        else
            *seconds = seconds_of(&parsed.valid_to);
    }
    mbedtls_x509_crt_free(&parsed);
    mbedtls_pk_free(&key);
    random_close(&random);
    return outcome;
}
