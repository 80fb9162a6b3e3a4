/* What transfers to and from URLs that a request names have in common. */
#ifndef SLICENODE_NET_URL_H
#define SLICENODE_NET_URL_H

/* A bundle of all the world's authorities has 220 KiB. A longer one is refused. */
#define NET_CA_LIMIT (1u << 20)

/* The URL without what may be secret: user, password and query. The caller frees it. */
char *net_url_display(const char *url);

/* The public authorities' certificates, where the image has them, and the controller's (`ca`, PEM,
 * NULL for none). NULL when there are neither; the caller frees it. */
char *net_trusted_certificates(const char *ca);

#endif
