#include "store/slice_state.h"

#include "base/err.h"
#include "model/nic.h"
#include "model/slice.h"
#include "store/must.h"
#include "store/outbox.h"
#include "store/store.h"

#include <jansson.h>

void slice_state_changed(struct store *store, struct outbox *outbox, const struct slice *slice,
                         const char *request, const char *reason, const struct err *error,
                         const char *console)
{
    struct err err;
    must(store_slice_put(store, slice, &err), &err);
    json_t *result =
        json_pack("{s:s, s:s, s:s}", "state", slice_state_name(slice->state), "desired",
                  slice->desired_running ? "running" : "stopped", "reason", reason);
    outbox_add(outbox, EVENT(.type = "slice.state", .request = request, .slice = slice->id,
                             .result = result, .error = error, .console = console));
    json_decref(result);
}
