/* The protocol's Slice object. */
#ifndef SLICENODE_MODEL_PROTOCOL_H
#define SLICENODE_MODEL_PROTOCOL_H

#include "model/nic.h"
#include "model/slice.h"
#include "model/snapshot.h"

#include <jansson.h>
#include <stddef.h>

/* `snapshots` in order of time. */
json_t *slice_to_protocol(const struct slice *slice, const struct snapshot *snapshots,
                          size_t count);

#endif
