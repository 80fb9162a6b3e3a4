/* What the agent tells sliced-net about the controller and the node. */
#ifndef SLICENODE_NET_CONFIG_H
#define SLICENODE_NET_CONFIG_H

#include "base/err.h"
#include "base/ident.h"
#include "net/tls.h"

#include <jansson.h>

/* As in conf/check.c, which refuses more. */
#define CONTROLLERS_MAX 8

struct net_config {
    char *urls[CONTROLLERS_MAX]; /* https://HOST[:PORT][/PATH], no slash at the end */
    unsigned url_count;
    char *ca;
    char *pin;
    char *key;
    char *certificate;
    char node_id[UUID_TEXT_BYTES]; /* "" before enrolment */
    char user_agent[64];
};

/* Replaces `config` by the message's; on failure the old one stays. */
int net_config_read(struct net_config *config, const json_t *message, struct err *err);
void net_config_free(struct net_config *config);

/* Whom to trust for a call: the CA if there is one; the pin until the node has a certificate.
 * not_configured when there is neither. The texts stay the config's. */
int net_config_trust(const struct net_config *config, struct tls *tls, struct err *err);

#endif
