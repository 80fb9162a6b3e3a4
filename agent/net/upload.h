/* `sliced-net upload`: sends what comes through a pipe to an HTTPS URL with PUT. The stream
 * cannot be read twice, so what breaks once is not tried again, and redirects are not followed:
 * a disk's contents go to the place that was named and to no other. */
#ifndef SLICENODE_NET_UPLOAD_H
#define SLICENODE_NET_UPLOAD_H

#include "base/err.h"
#include "process/wire.h"

/* Reads the upload message from the wire, sends `input`, reports the outcome on the wire. The
 * pipe's end is the body's end only when an `end` message says so, with the same number of
 * bytes: otherwise a stream that broke off would look whole to the server. 0 when the server has
 * taken all. */
int net_upload(struct wire *wire, int input, struct err *err);

#endif
