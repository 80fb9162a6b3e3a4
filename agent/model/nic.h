/* A network card of a slice. */
#ifndef SLICENODE_MODEL_NIC_H
#define SLICENODE_MODEL_NIC_H

#include "base/check.h"
#include "base/err.h"

#include <jansson.h>

/* Each costs dom0 two rings and a queue. More are refused. */
#define SLICE_NICS_MAX 8
/* More are refused. */
#define NIC_ADDRESSES_MAX 16
/* Resolvers ask three; more are refused. */
#define NIC_DNS_MAX 8
#define NIC_NAME_BYTES 16     /* IFNAMSIZ */
#define ADDRESS_TEXT_BYTES 50 /* an IPv6 address with its prefix length */

struct slice;

struct nic {
    char bridge[NIC_NAME_BYTES];
    int vlan; /* 0: none */
    char mac[MAC_TEXT_BYTES];
    char addresses[NIC_ADDRESSES_MAX][ADDRESS_TEXT_BYTES]; /* none: DHCP */
    unsigned address_count;
    char gateway[ADDRESS_TEXT_BYTES];
    char dns[NIC_DNS_MAX][ADDRESS_TEXT_BYTES];
    unsigned dns_count;
};

/* Room for so many, zeroed; NULL for none. */
struct nic *slice_nics(unsigned count);
/* Reads `network`; NULL stands for one card with DHCP. Cards without a MAC get theirs. */
int nics_read(const json_t *array, struct slice *slice, struct err *err);
json_t *nic_to_json(const struct nic *nic);
int nic_read(const json_t *object, const char *path, struct nic *nic, struct err *err);

#endif
