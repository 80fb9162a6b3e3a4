/* The simulated slice's console as a terminal: whatever a test has opened. */
#include "backend/sim/console.h"

#include "backend/backend.h"
#include "backend/sim/folder.h"
#include "base/err.h"
#include "base/memory.h"
#include "base/text.h"

#include <string.h>

int sim_console_tty(void *state, const char *slice, char path[static TTY_PATH_BYTES],
                    struct err *err)
{
    struct sim *sim = state;
    CLEANUP_FREE char *file = xasprintf("%s/domains/%s", sim->folder, slice);
    json_t *domain = sim_load(file);
    const char *word = json_string_value(json_object_get(domain, "state"));
    const char *tty = json_string_value(json_object_get(domain, "tty"));
    int result = 0;
    if (!word || strcmp(word, "shutdown") == 0)
        result = err_set(err, ERR_SLICE_STATE, "slice %s is not running", slice);
    else if (!tty || !copy_text(path, TTY_PATH_BYTES, tty))
        result = err_set(err, ERR_CONSOLE_UNAVAILABLE, "there is no terminal for slice %s", slice);
    json_decref(domain);
    return result;
}
