/* The slices' consoles for the clients of the local socket. */
#include "api/console.h"

#include "api/socket.h"
#include "backend/backend.h"
#include "base/err.h"
#include "model/nic.h"
#include "model/slice.h"
#include "node/agent.h"
#include "node/parameters.h"
#include "node/problem.h"
#include "store/must.h"
#include "store/store.h"

void console_tty(struct agent *agent, struct api_call *call, const json_t *params)
{
    struct hypervisor *hypervisor = &agent->backend.hypervisor;
    const char *id = json_string_value(json_object_get(params, "slice"));
    struct slice slice = {0};
    char path[TTY_PATH_BYTES];
    struct err err;
    if (!id || must(store_slice_find(agent->store, id, &slice, &err), &err) == 0) {
        err_set(&err, ERR_SLICE_NOT_FOUND, "there is no slice %.64s", id ? id : "");
        api_fail(call, &err);
        return;
    }
    slice_free(&slice);
    if (hypervisor->console_tty(hypervisor->state, id, path, &err) < 0)
        api_fail(call, &err);
    else
        api_answer(call, json_pack("{s:s}", "tty", path));
}
