/* A slice's new state: kept, and told by a slice.state event. */
#ifndef SLICENODE_STORE_SLICE_STATE_H
#define SLICENODE_STORE_SLICE_STATE_H

#include "base/err.h"
#include "model/nic.h"
#include "model/slice.h"
#include "store/outbox.h"
#include "store/store.h"

/* `request` NULL for what the node does by itself; `error` and `console` may be NULL. The caller
 * flushes the outbox. */
void slice_state_changed(struct store *store, struct outbox *outbox, const struct slice *slice,
                         const char *request, const char *reason, const struct err *error,
                         const char *console);

#endif
