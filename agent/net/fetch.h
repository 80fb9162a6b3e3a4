/* `sliced-net fetch`: downloads one image into a pipe, taking up a broken transfer where it
 * broke. */
#ifndef SLICENODE_NET_FETCH_H
#define SLICENODE_NET_FETCH_H

#include "base/err.h"
#include "process/wire.h"

/* Reads the fetch message from the wire, writes the image to `output`, reports the outcome on the
 * wire. 0 when the image came whole. */
int net_fetch(struct wire *wire, int output, struct err *err);

#endif
