#include "net/config.h"

#include "base/err.h"
#include "base/json.h"
#include "base/memory.h"
#include "net/reply.h"
#include "net/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Twice what conf takes (conf/check.c). A longer one is refused. */
#define URL_LIMIT 1024
/* A bundle of all the world's authorities has 220 KiB. A longer one is refused, and told. */
#define CA_LIMIT (256u << 10)

static int read_url(const json_t *value, char **url, struct err *err)
{
    const char *text = json_string_value(value);
    if (!text || strlen(text) > URL_LIMIT)
        return err_set(err, ERR_NOT_CONFIGURED, "a controller's URL is missing or too long");
    if (strncmp(text, "https://", 8) != 0 || text[8] == '\0' || text[8] == '/')
        return err_set(err, ERR_NOT_CONFIGURED, "the controller's URL \"%s\" is not https://HOST",
                       text);
    *url = xstrdup(text);
    for (size_t length = strlen(text); (*url)[length - 1] == '/'; length--)
        (*url)[length - 1] = '\0';
    return 0;
}

static int read_urls(struct net_config *config, struct fields *fields)
{
    const json_t *urls = NULL;
    if (field_array(fields, "urls", REQUIRED, CONTROLLERS_MAX, &urls) != 0)
        return -1;
    for (size_t index = 0; index < json_array_size(urls); index++) {
        if (read_url(json_array_get(urls, index), &config->urls[index], fields->err) != 0)
            return -1;
        config->url_count++;
    }
    return 0;
}

static int read_text(struct fields *fields, const char *name, size_t limit, char **text)
{
    const char *value = NULL;
    if (field_string(fields, name, OPTIONAL, limit, &value) != 0)
        return -1;
    *text = value && value[0] != '\0' ? xstrdup(value) : NULL;
    return 0;
}

static int read_all(struct net_config *config, const json_t *message, struct err *err)
{
    struct fields fields;
    const char *type = NULL;
    char version[32] = "";
    if (fields_open(&fields, message, "", err) < 0 ||
        field_string(&fields, "type", REQUIRED, 16, &type) != 0 ||
        read_urls(config, &fields) != 0 || read_text(&fields, "ca", CA_LIMIT, &config->ca) != 0 ||
        read_text(&fields, "pin", PIN_TEXT_BYTES, &config->pin) != 0 ||
        read_text(&fields, "key", PEM_LIMIT, &config->key) != 0 ||
        read_text(&fields, "certificate", PEM_LIMIT, &config->certificate) != 0 ||
        field_uuid(&fields, "node_id", OPTIONAL, config->node_id) != 0 ||
        field_text(&fields, "version", OPTIONAL, version, sizeof(version)) != 0 ||
        fields_end(&fields) != 0)
        return err_context(err, "the agent's config message");
    snprintf(config->user_agent, sizeof(config->user_agent), "slicenode/%s",
             version[0] != '\0' ? version : "0");
    return 0;
}

int net_config_read(struct net_config *config, const json_t *message, struct err *err)
{
    struct net_config fresh = {0};
    if (read_all(&fresh, message, err) < 0) {
        net_config_free(&fresh);
        return -1;
    }
    net_config_free(config);
    *config = fresh;
    return 0;
}

void net_config_free(struct net_config *config)
{
    for (unsigned index = 0; index < CONTROLLERS_MAX; index++)
        free(config->urls[index]);
    free(config->ca);
    free(config->pin);
    free(config->key);
    free(config->certificate);
    *config = (struct net_config){0};
}

int net_config_trust(const struct net_config *config, struct tls *tls, struct err *err)
{
    bool enrolled = config->certificate;
    *tls = (struct tls){.ca = config->ca,
                        .pin = enrolled ? NULL : config->pin,
                        .key = config->key,
                        .certificate = config->certificate};
    if (config->url_count == 0)
        return err_set(err, ERR_NOT_CONFIGURED, "there is no slicenode.controller to call");
    if (!tls->ca && !tls->pin)
        return err_set(err, ERR_NOT_CONFIGURED,
                       "the controller cannot be trusted: give slicenode.ca or slicenode.pin");
    return 0;
}
