/* The arguments of slice.provision. */
#ifndef SLICENODE_MODEL_PROVISION_H
#define SLICENODE_MODEL_PROVISION_H

#include "base/err.h"
#include "model/image.h"
#include "model/nic.h"
#include "model/slice.h"

#include <jansson.h>

/* `image->url` is "" when the image must already be there, `image->id` when the
 * slice is made from `slice->snapshot` instead; a slice that names no
 * network gets one card on xenbr0 with DHCP, and every card has a MAC address. */
int provision_parse(const char *slice_id, const json_t *args, struct slice *slice,
                    struct image *image, struct err *err);

#endif
